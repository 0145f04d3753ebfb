//! How a reading can fail.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// What a library said; shared, as one failed request may answer several triggers.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why there is no value. Neither the text nor the chain of causes ever holds a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScalerError {
    /// The deadline passed.
    #[error("no answer from {endpoint} within {after:?}")]
    TimedOut {
        /// Who was asked.
        endpoint: String,
        /// The deadline.
        after: Duration,
    },
    /// The source has stopped answering: it is probed in the background, and not asked meanwhile.
    #[error("{endpoint} {}; it is probed again within {within:?}", silent(.since.as_ref()))]
    Silent {
        /// Who would have been asked.
        endpoint: String,
        /// Since when it is not asked.
        since: Option<Timestamp>,
        /// When the next probe begins at the latest, counted from the end of the last.
        within: Duration,
        /// How the last question failed.
        source: Arc<ScalerError>,
    },
    /// No connection came about, or it broke.
    #[error("cannot reach {endpoint}")]
    Unreachable {
        /// Who was to be asked.
        endpoint: String,
        /// What the library said.
        source: Cause,
    },
    /// The source answered that it does not want this client.
    #[error("{endpoint} refused the credentials")]
    Unauthorized {
        /// Who was asked.
        endpoint: String,
        /// What it said.
        source: Cause,
    },
    /// The source answered with an error.
    #[error("{endpoint} answered {answer}")]
    Answer {
        /// Who was asked.
        endpoint: String,
        /// What it said.
        answer: String,
    },
    /// The answer does not hold a value where one was expected.
    #[error("{0}")]
    Value(String),
    /// Certificates or keys that cannot be used.
    #[error("cannot use `{parameter}`: {reason}")]
    Certificate {
        /// The setting that holds it.
        parameter: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that is only looked at when the source is asked.
    #[error("{0}")]
    Setting(String),
    /// The trigger has no metric of this name.
    #[error("the trigger has no metric `{0}`")]
    UnknownMetric(String),
    /// The process is shutting down.
    #[error("the scalers are shutting down")]
    Closed,
}

impl ScalerError {
    /// A source that cannot be reached.
    pub(crate) fn unreachable(
        endpoint: impl Into<String>,
        cause: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unreachable {
            endpoint: endpoint.into(),
            source: Arc::new(cause),
        }
    }

    /// Whether a new connection might help: the pool then drops the source it has.
    pub fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the source was asked, or would have been, and said nothing: asking again at once would only wait again.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Silent { .. })
    }

    /// The text with the causes behind it, as a condition or an Event shows it: one line, and not too long. What a source
    /// says may be in it.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            let said = cause.to_string();
            // Some libraries say in a cause what they have said already.
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            next = cause.source();
        }
        one_line(&text)
    }
}

/// Letters of a text that are shown.
const MOST_LETTERS: usize = 1000;

fn one_line(text: &str) -> String {
    let letters = text.chars().take(MOST_LETTERS);
    let mut line: String = letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if text.chars().nth(MOST_LETTERS).is_some() {
        line.push('…');
    }
    line
}

fn silent(since: Option<&Timestamp>) -> String {
    since.map_or_else(
        || "has stopped answering".to_owned(),
        |since| format!("has not been answering since {since}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_leaves_the_cause_to_the_chain() {
        let error = ScalerError::unreachable("redis:6379", std::io::Error::other("connection refused"));
        assert_eq!(error.to_string(), "cannot reach redis:6379");
        assert_eq!(error.chain(), "cannot reach redis:6379: connection refused");
        let twice = ScalerError::unreachable("redis:6379", std::io::Error::other(error.clone()));
        assert_eq!(twice.chain(), "cannot reach redis:6379: connection refused");
        assert!(error.is_connection_lost());
    }

    #[test]
    fn what_a_source_says_is_one_line_and_not_too_long() {
        let said = |text: String| ScalerError::Value(text).chain();
        assert_eq!(said("a\r\nb\u{1b}[2Jc".to_owned()), "a  b [2Jc");
        let long = said("ä".repeat(MOST_LETTERS + 1));
        assert_eq!(long, format!("{}…", "ä".repeat(MOST_LETTERS)));
        assert_eq!(said("ä".repeat(MOST_LETTERS)), "ä".repeat(MOST_LETTERS));
    }

    #[test]
    fn a_silent_source_says_since_when_and_until_when() {
        let last = ScalerError::TimedOut {
            endpoint: "redis:6379".to_owned(),
            after: Duration::from_secs(3),
        };
        let silent = |since: Option<&str>| ScalerError::Silent {
            endpoint: "redis:6379".to_owned(),
            since: since.map(|since| since.parse().expect("a time")),
            within: Duration::from_secs(8),
            source: Arc::new(last.clone()),
        };
        assert_eq!(
            silent(Some("2026-01-01T10:00:00Z")).chain(),
            "redis:6379 has not been answering since 2026-01-01T10:00:00Z; it is probed again within 8s: \
             no answer from redis:6379 within 3s"
        );
        assert!(
            silent(None)
                .to_string()
                .starts_with("redis:6379 has stopped answering; ")
        );
    }
}
