//! How a connection proves who it is: `SaslHandshake`, then one or more `SaslAuthenticate`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use rsasl::prelude::{Mechname, SASLClient, SASLConfig, Session, State};
use tracing::debug;

use super::api;
use super::connection::Connection;
use super::reply::{self, Step};
use super::token::Tokens;
use crate::{ScalerError, Secret};

// DEVIATION: upstream accepts any number of iterations.
/// How often a password is hashed, at most: more would keep a processor busy for a broker that only pretends.
const MOST_ITERATIONS: u32 = 100_000;
/// And at least, as RFC 5802 has it: less would make the password easy to guess for a broker that only pretends.
const FEWEST_ITERATIONS: u32 = 4_096;
/// Steps of an exchange, at most.
const MOST_STEPS: usize = 4;
/// Letters of a broker's own words that go into an error.
const MOST_LETTERS: usize = 200;

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Password {
    pub(crate) username: String,
    pub(crate) password: Secret<String>,
}

/// Credentials in the form that the exchanges need them.
pub(super) enum Login {
    Plain(Password),
    ScramSha256(Password),
    ScramSha512(Password),
    Token(Tokens),
}

impl Login {
    fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain(_) => "PLAIN",
            Self::ScramSha256(_) => "SCRAM-SHA-256",
            Self::ScramSha512(_) => "SCRAM-SHA-512",
            Self::Token(_) => "OAUTHBEARER",
        }
    }
}

/// Proves who we are. Returns how long the broker believes it, where that ends.
pub(super) async fn log_in(connection: &Connection, login: &Login) -> Result<Option<Duration>, ScalerError> {
    let mechanism = login.mechanism();
    handshake(connection, mechanism).await?;
    let last = match login {
        Login::Plain(pair) => {
            let message = format!("\0{}\0{}", pair.username, pair.password.expose());
            let secrets = [pair.password.expose().as_str()];
            authenticate(connection, message.into_bytes(), &secrets).await?
        }
        Login::ScramSha256(pair) | Login::ScramSha512(pair) => scram(connection, mechanism, pair).await?,
        Login::Token(tokens) => bearer(connection, tokens).await?,
    };
    debug!(broker = connection.address(), mechanism, "logged in");
    let lifetime = u64::try_from(last.lifetime).unwrap_or_default();
    Ok((lifetime > 0).then(|| Duration::from_millis(lifetime)))
}

async fn handshake(connection: &Connection, mechanism: &'static str) -> Result<(), ScalerError> {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let version = connection.version(api::HANDSHAKE)?;
    let reader = connection.call(api::HANDSHAKE, version, &request).await?;
    let (error, offered) = connection.read(api::HANDSHAKE, reply::handshake(reader))?;
    match ResponseError::try_from_code(error) {
        None => Ok(()),
        Some(ResponseError::UnsupportedSaslMechanism) => {
            let offered = clean(&offered.join(", "), &[]);
            Err(refused(
                connection,
                format!("it knows {offered}, not {mechanism}"),
            ))
        }
        Some(ResponseError::IllegalSaslState) => Err(refused(
            connection,
            "it wants no SASL on this port, as the setting `sasl` has it".to_owned(),
        )),
        Some(error) => Err(refused(connection, error.to_string())),
    }
}

/// Sends one message of an exchange. `secrets` never reach an error, whatever the broker says.
async fn authenticate(
    connection: &Connection,
    message: Vec<u8>,
    secrets: &[&str],
) -> Result<Step, ScalerError> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
    let version = connection.version(api::AUTHENTICATE)?;
    let reader = connection.call(api::AUTHENTICATE, version, &request).await?;
    let step = connection.read(api::AUTHENTICATE, reply::step(reader, version))?;
    let Some(error) = ResponseError::try_from_code(step.error) else {
        return Ok(step);
    };
    let said = step.message.as_deref().map(|message| clean(message, secrets));
    let said = said.filter(|said| !said.is_empty());
    Err(refused(connection, said.unwrap_or_else(|| error.to_string())))
}

async fn scram(connection: &Connection, mechanism: &str, pair: &Password) -> Result<Step, ScalerError> {
    let secrets = [pair.password.expose().as_str()];
    let mut session = session(mechanism, pair).ok_or_else(|| {
        ScalerError::Setting("`username` or `password` cannot be used for SCRAM".to_owned())
    })?;
    let (mut state, mut message) = advance(connection, &mut session, None)?;
    for _ in 0..MOST_STEPS {
        let step = authenticate(connection, message, &secrets).await?;
        if matches!(state, State::Finished(_)) {
            return Ok(step);
        }
        iterations(&step.bytes).map_err(|reason| refused(connection, reason))?;
        (state, message) = advance(connection, &mut session, Some(&step.bytes))?;
        if matches!(state, State::Finished(_)) && message.is_empty() {
            return Ok(step);
        }
    }
    Err(refused(connection, "the exchange has no end".to_owned()))
}

fn session(mechanism: &str, pair: &Password) -> Option<Session> {
    let config =
        SASLConfig::with_credentials(None, pair.username.clone(), pair.password.expose().clone()).ok()?;
    let name = Mechname::parse(mechanism.as_bytes()).ok()?;
    SASLClient::new(config).start_suggested(&[name]).ok()
}

/// One step on our side. The library's errors are not shown: they may quote what was exchanged.
fn advance(
    connection: &Connection,
    session: &mut Session,
    input: Option<&[u8]>,
) -> Result<(State, Vec<u8>), ScalerError> {
    let mut message = Vec::new();
    let state = session.step(input, &mut message).map_err(|_| {
        let text = "it did not prove that it knows the password, or spoke no SCRAM";
        refused(connection, text.to_owned())
    })?;
    Ok((state, message))
}

/// Whether the number of iterations that a first answer asks for can be accepted.
fn iterations(answer: &[u8]) -> Result<(), String> {
    let fields = answer.split(|byte| *byte == b',');
    let mut asked = fields.filter_map(|field| field.strip_prefix(b"i="));
    let bearable = asked.all(|number| {
        let number = std::str::from_utf8(number)
            .ok()
            .and_then(|text| text.parse().ok());
        matches!(number, Some(FEWEST_ITERATIONS..=MOST_ITERATIONS))
    });
    if bearable {
        return Ok(());
    }
    Err(format!(
        "it asks for a number of SCRAM iterations that is not from {FEWEST_ITERATIONS} to {MOST_ITERATIONS}"
    ))
}

/// RFC 7628, with extensions of KIP-342.
async fn bearer(connection: &Connection, tokens: &Tokens) -> Result<Step, ScalerError> {
    let token = tokens.token().await?;
    let mut message = format!("n,,\u{1}auth=Bearer {}", token.expose());
    for (key, value) in tokens.extensions() {
        message.extend(["\u{1}", key.as_str(), "=", value.expose().as_str()]);
    }
    message.push_str("\u{1}\u{1}");
    let secrets = [token.expose().as_str()];
    let step = authenticate(connection, message.into_bytes(), &secrets).await;
    let refusal = match step {
        Ok(step) if step.bytes.is_empty() => return Ok(step),
        // A broker that refuses a token says why, and waits for a byte before it ends the exchange.
        Ok(step) => {
            let said = clean(&String::from_utf8_lossy(&step.bytes), &secrets);
            match authenticate(connection, vec![1], &secrets).await {
                Err(lost) if lost.is_connection_lost() => lost,
                _ => refused(connection, said),
            }
        }
        Err(error) => error,
    };
    if matches!(refusal, ScalerError::Unauthorized { .. }) {
        tokens.forget();
    }
    Err(refusal)
}

fn refused(connection: &Connection, reason: String) -> ScalerError {
    ScalerError::Unauthorized {
        endpoint: connection.address().to_owned(),
        source: Arc::new(std::io::Error::other(reason)),
    }
}

/// A broker's own words, as far as they can be shown.
fn clean(said: &str, secrets: &[&str]) -> String {
    if secrets
        .iter()
        .any(|secret| !secret.is_empty() && said.contains(secret))
    {
        return "a text that quotes the credentials".to_owned();
    }
    let shown = said.chars().filter(|letter| !letter.is_control());
    shown.take(MOST_LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_iterations_are_bounded() {
        let asked = |number: &str| iterations(format!("r=abc,s=c2FsdA==,i={number}").as_bytes());
        for good in ["4096", "8192", "100000"] {
            asked(good).expect(good);
        }
        for bad in [
            "0",
            "1",
            "4095",
            "100001",
            "4294967295",
            "99999999999999",
            "-1",
            "x",
            "",
        ] {
            asked(bad).expect_err(bad);
        }
        iterations(b"v=c2lnbmF0dXJl").expect("a last answer names no number");
    }

    #[test]
    fn what_a_broker_says_is_cut_and_never_quotes_a_secret() {
        assert_eq!(clean("no\u{7}\n such user", &["hush"]), "no such user");
        assert_eq!(
            clean("is it hush?", &["hush"]),
            "a text that quotes the credentials"
        );
        assert_eq!(clean("hush", &[""]), "hush");
        assert_eq!(clean(&"x".repeat(5_000), &[]).len(), MOST_LETTERS);
    }
}
