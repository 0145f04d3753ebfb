//! Which lists and streams a server has, at a bounded cost.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use redis::cluster_routing::SingleNodeRoutingInfo;
use redis::{Value, cmd};

use super::cluster::ranges;
use super::question::{Answer, Kind, bytes, items, number, unreadable};
use super::{Connection, Redis};
use crate::ScalerError;

/// Keys that are told at most.
const MOST: usize = 300;
/// Keys that a server looks at in one step.
const STEP: usize = 1_000;
/// Steps that a server is asked for at most: a large database is looked at in part.
const STEPS: usize = 20;

/// Looks for keys of a kind.
pub(super) async fn keys(redis: &Redis, kind: Kind) -> Result<Answer, ScalerError> {
    let mut found = BTreeSet::new();
    for node in nodes(redis).await? {
        scan(redis, node, kind, &mut found).await?;
    }
    let lengths = found.into_iter().take(MOST).map(|key| async move {
        let counted = redis.send(cmd(kind.length()).arg(&key).take()).await;
        // A key that was replaced meanwhile has no length of this kind.
        let length = number(&redis.endpoint, &counted.ok()?).ok()?;
        Some((key, length))
    });
    let keys = join_all(lengths).await.into_iter().flatten().collect();
    Ok(Answer::Keys(Arc::new(keys)))
}

/// The servers that have keys.
async fn nodes(redis: &Redis) -> Result<Vec<Option<SingleNodeRoutingInfo>>, ScalerError> {
    if let Connection::Single(_) = redis.connection {
        return Ok(vec![None]);
    }
    let reply = redis.send(cmd("CLUSTER").arg("SLOTS").take()).await?;
    let mut known = BTreeSet::new();
    let mut nodes = Vec::new();
    for range in ranges(&redis.endpoint, &reply)? {
        let route = range.route();
        if known.insert(range.address) {
            nodes.push(Some(route));
        }
    }
    Ok(nodes)
}

async fn scan(
    redis: &Redis,
    node: Option<SingleNodeRoutingInfo>,
    kind: Kind,
    found: &mut BTreeSet<String>,
) -> Result<(), ScalerError> {
    let mut cursor = b"0".to_vec();
    for _ in 0..STEPS {
        let step = cmd("SCAN")
            .arg(&cursor)
            .arg("COUNT")
            .arg(STEP)
            .arg("TYPE")
            .arg(kind.name())
            .take();
        let reply = redis.send_to(node.clone(), step).await?;
        cursor = page(&redis.endpoint, &reply, found)?;
        if cursor == b"0" || found.len() >= MOST {
            break;
        }
    }
    Ok(())
}

/// Adds the keys of one step and returns the cursor of the next. A name that is no text cannot be written in a trigger.
fn page(endpoint: &str, reply: &Value, found: &mut BTreeSet<String>) -> Result<Vec<u8>, ScalerError> {
    let wrong = || unreadable(endpoint, "with a page of keys that cannot be read");
    let Some([cursor, keys]) = items(reply) else {
        return Err(wrong());
    };
    for key in items(keys).ok_or_else(wrong)? {
        if let Some(Ok(name)) = bytes(key).map(std::str::from_utf8) {
            found.insert(name.to_owned());
        }
    }
    bytes(cursor).map(<[u8]>::to_vec).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_cursor_and_names() {
        let text = |text: &[u8]| Value::BulkString(text.to_vec());
        let mut found = BTreeSet::new();
        let keys = Value::Array(vec![text(b"jobs"), text(b"\xff"), text(b"mails"), text(b"jobs")]);
        let page_of = Value::Array(vec![text(b"17"), keys]);
        assert_eq!(page("r", &page_of, &mut found).expect("a page"), b"17");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["jobs", "mails"]);
        for bad in [
            Value::Nil,
            Value::Array(vec![text(b"0")]),
            Value::Array(vec![Value::Int(0), Value::Nil]),
        ] {
            page("r", &bad, &mut BTreeSet::new()).expect_err("no page");
        }
    }
}
