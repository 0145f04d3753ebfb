//! Keyspace notifications: a server that is set up for it tells every change of a key to those who subscribed. Nothing is
//! consumed, and the server's settings are never changed.

use redis::{Pipeline, Value, cmd};
use tokio::sync::watch::Receiver;

use super::cluster::ranges;
use super::question::{Kind, Question, bytes, field, number, unreadable};
use super::{Connection, Redis, connect, failure, owner};
use crate::ScalerError;

/// The setting of the server that says what is told.
const SETTING: &str = "notify-keyspace-events";

/// A subscription.
pub(super) struct Listening {
    /// Changes with every change of the key.
    pub(super) news: Receiver<()>,
    /// What ought to be known about it.
    pub(super) note: Option<ScalerError>,
}

impl Redis {
    /// Subscribes to the changes of the key that a question is about.
    pub(super) async fn listen(&self, question: &Question) -> Result<Listening, ScalerError> {
        let Some((key, kind)) = question.key() else {
            return Err(unreadable(&self.endpoint, "to nothing that could change"));
        };
        let (setting, address) = self.setting(key).await?;
        let note = match setting.and_then(|reply| flags(&self.endpoint, &reply)) {
            Ok(flags) => check(&self.endpoint, &flags, kind).map(|()| None)?,
            // Some services keep their settings to themselves. They may send notifications all the same.
            Err(error) if error.is_connection_lost() => return Err(error),
            Err(error) => Some(ScalerError::Setting(format!(
                "cannot tell whether keyspace notifications are on, which `push` needs: {}",
                error.chain()
            ))),
        };
        let open = async {
            let client = match &address {
                Some(address) => {
                    let certificates = connect::trust(&self.server, &self.connect)?;
                    connect::client(&self.server, address, certificates)?
                }
                None => connect::server(&self.server, &self.connect).await?,
            };
            let opening = tokio::time::timeout(self.connect.timeout, client.get_async_pubsub());
            match opening.await {
                Ok(opened) => opened.map_err(|error| failure(&self.endpoint, error)),
                Err(_) => Err(ScalerError::TimedOut {
                    endpoint: self.endpoint.clone(),
                    after: self.connect.timeout,
                }),
            }
        };
        let channel = format!("__keyspace@{}__:{key}", self.server.database());
        let line = address.clone().unwrap_or_default();
        let subscribed = self.lines.listen(line, open, channel);
        let news = subscribed
            .await?
            .map_err(|error| failure(&self.endpoint, error))?;
        Ok(Listening { news, note })
    }

    /// The reply about the setting, from the server that has the key; in a cluster also its address.
    async fn setting(&self, key: &str) -> Result<(Result<Value, ScalerError>, Option<String>), ScalerError> {
        let asked = cmd("CONFIG").arg("GET").arg(SETTING).take();
        let Connection::Cluster(connection) = &self.connection else {
            return Ok((self.send(asked).await, None));
        };
        let mut pipeline = Pipeline::new();
        pipeline.add_command(asked);
        pipeline.add_command(cmd("CLUSTER").arg("KEYSLOT").arg(key).take());
        pipeline.add_command(cmd("CLUSTER").arg("SLOTS").take());
        let fail = |error| failure(&self.endpoint, error);
        let replies = connection
            .clone()
            .route_pipeline(pipeline, 0, 3, owner(key))
            .await
            .map_err(fail)?;
        let Ok([setting, slot, slots]) = <[Value; 3]>::try_from(replies) else {
            return Err(unreadable(&self.endpoint, "with fewer replies than commands"));
        };
        let slot = number(&self.endpoint, &slot.extract_error().map_err(fail)?)?;
        let slots = ranges(&self.endpoint, &slots.extract_error().map_err(fail)?)?;
        let node = slots
            .into_iter()
            .find(|range| u16::try_from(slot).is_ok_and(|slot| range.holds(slot)));
        let node = node.ok_or_else(|| unreadable(&self.endpoint, "that no node has the slot of the key"))?;
        Ok((setting.extract_error().map_err(fail), Some(node.address)))
    }
}

/// Reads the reply to `CONFIG GET`.
fn flags(endpoint: &str, reply: &Value) -> Result<String, ScalerError> {
    let value = field(reply, SETTING).and_then(bytes);
    let value = value.ok_or_else(|| unreadable(endpoint, "without the setting"))?;
    Ok(String::from_utf8_lossy(value).chars().take(32).collect())
}

/// Whether changes of such a key are told: `K` turns the channels of keys on, a letter each class of commands, `A` all.
fn check(endpoint: &str, flags: &str, kind: Kind) -> Result<(), ScalerError> {
    let told = |letter: char| flags.contains(letter);
    if told('K') && (told('A') || kind.letters().chars().any(told)) {
        return Ok(());
    }
    let letter = kind.letters().chars().next().unwrap_or('A');
    Err(ScalerError::Setting(format!(
        "`push` needs keyspace notifications, which {endpoint} does not send: its `{SETTING}` is `{flags}` and must hold \
         `K` and `{letter}`; the trigger is polled as usual"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_need_the_channel_and_the_class() {
        for (flags, list, stream) in [
            ("", false, false),
            ("K", false, false),
            ("AE", false, false),
            ("AK", true, true),
            ("lK", true, false),
            ("sK", true, false),
            ("tK", false, true),
            ("lE", false, false),
        ] {
            assert_eq!(check("r", flags, Kind::List).is_ok(), list, "{flags}");
            assert_eq!(check("r", flags, Kind::Stream).is_ok(), stream, "{flags}");
        }
        let error = check("r:6379", "AE", Kind::Stream).expect_err("off").to_string();
        assert!(
            error.contains("r:6379") && error.contains("`AE`") && error.contains("`t`"),
            "{error}"
        );
    }

    #[test]
    fn the_setting_is_found_in_either_form_of_the_reply() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let list = Value::Array(vec![text(SETTING), text("lK")]);
        let map = Value::Map(vec![(text(SETTING), text("lK"))]);
        for reply in [list, map] {
            assert_eq!(flags("r", &reply).expect("the setting"), "lK");
        }
        for reply in [
            Value::Array(Vec::new()),
            Value::Nil,
            Value::Array(vec![text(SETTING)]),
        ] {
            flags("r", &reply).expect_err("no setting");
        }
    }
}
