//! What a Redis server can be asked: the commands of each question, and how their replies are read. Pure.

use redis::{Cmd, Value, cmd};

use super::failure;
use crate::ScalerError;

/// Something to ask a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// How many elements a key holds.
    Length(String),
    /// How many entries a stream holds.
    Entries(String),
    /// How many entries a consumer group was given and has not acknowledged.
    Pending { stream: String, group: String },
    /// How many entries a consumer group has not been given yet.
    Lag { stream: String, group: String },
    /// Which keys of a kind there are.
    Keys(Kind),
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A list.
    List,
    /// A stream.
    Stream,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// So many elements or entries.
    Length(i64),
    /// The key holds something whose elements are not counted: the name of its type.
    OtherType(String),
    /// Keys with their lengths.
    Keys(std::sync::Arc<Vec<(String, i64)>>),
}

/// The first version that tells the lag of a group.
const MODERN: u64 = 7;

/// Counts what a key holds in one round trip. Upstream has a script to the same effect (`redis_scaler.go`).
const COUNT: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
local count = { none = 'LLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN' }
if count[kind] then return redis.call(count[kind], KEYS[1]) end
return kind";

impl Kind {
    /// The name that `SCAN` and `TYPE` have for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Stream => "stream",
        }
    }

    /// The command that counts what a key of this kind holds.
    pub(super) fn length(self) -> &'static str {
        match self {
            Self::List => "LLEN",
            Self::Stream => "XLEN",
        }
    }

    /// The letters of `notify-keyspace-events` by which a change of such a key is told. A list may be a set, a sorted set
    /// or a hash as well.
    pub(super) fn letters(self) -> &'static str {
        match self {
            Self::List => "lszh",
            Self::Stream => "t",
        }
    }
}

impl Question {
    /// The key it is about, and what that holds.
    pub(super) fn key(&self) -> Option<(&str, Kind)> {
        match self {
            Self::Length(key) => Some((key, Kind::List)),
            Self::Entries(stream) | Self::Pending { stream, .. } | Self::Lag { stream, .. } => {
                Some((stream, Kind::Stream))
            }
            Self::Keys(_) => None,
        }
    }

    /// Its commands; they travel together. A server whose version is known to tell the lag is not asked for it again.
    pub(super) fn commands(&self, modern: bool) -> Vec<Cmd> {
        let one = |name: &str, key: &str| cmd(name).arg(key).take();
        match self {
            Self::Length(key) => vec![cmd("EVAL").arg(COUNT).arg(1).arg(key).take()],
            Self::Entries(stream) => vec![one("XLEN", stream)],
            Self::Pending { stream, group } => vec![cmd("XPENDING").arg(stream).arg(group).take()],
            Self::Lag { stream, .. } => {
                let groups = cmd("XINFO").arg("GROUPS").arg(stream).take();
                let mut commands = vec![groups, one("XLEN", stream)];
                if !modern {
                    commands.push(one("INFO", "server"));
                }
                commands
            }
            Self::Keys(_) => Vec::new(),
        }
    }

    /// Reads the replies to [`Question::commands`], errors of the server among them.
    pub(super) fn read(&self, endpoint: &str, replies: Vec<Value>) -> Result<Answer, ScalerError> {
        let mut replies = replies.into_iter();
        let mut next = || match replies.next() {
            Some(reply) => reply.extract_error().map_err(|error| failure(endpoint, error)),
            None => Err(unreadable(endpoint, "with fewer replies than commands")),
        };
        match self {
            Self::Length(_) => match next()? {
                Value::SimpleString(kind) => Ok(Answer::OtherType(kind)),
                Value::BulkString(kind) => Ok(Answer::OtherType(String::from_utf8_lossy(&kind).into_owned())),
                other => number(endpoint, &other).map(Answer::Length),
            },
            Self::Entries(_) => number(endpoint, &next()?).map(Answer::Length),
            Self::Pending { .. } => {
                let reply = next()?;
                let first = items(&reply).and_then(<[Value]>::first);
                number(endpoint, first.unwrap_or(&reply)).map(Answer::Length)
            }
            Self::Lag { group, .. } => {
                let (groups, entries, info) = (next(), next(), replies.next());
                if let Some(info) = info {
                    let info = info.extract_error().map_err(|error| failure(endpoint, error))?;
                    check_version(endpoint, &info)?;
                }
                lag(endpoint, group, groups, entries).map(Answer::Length)
            }
            Self::Keys(_) => Err(unreadable(endpoint, "for a question that has no commands")),
        }
    }
}

/// A stream that does not exist has no lag; a group that does not exist has every entry ahead. Upstream: `redis_streams_scaler.go`.
fn lag(
    endpoint: &str,
    group: &str,
    groups: Result<Value, ScalerError>,
    entries: Result<Value, ScalerError>,
) -> Result<i64, ScalerError> {
    let groups = match groups {
        Ok(groups) => groups,
        Err(ScalerError::Answer { answer, .. }) if answer.contains("no such key") => return Ok(0),
        Err(error) => return Err(error),
    };
    let groups =
        items(&groups).ok_or_else(|| unreadable(endpoint, "with a reply that is no list of groups"))?;
    let found = groups
        .iter()
        .find(|fields| field(fields, "name").and_then(bytes) == Some(group.as_bytes()));
    let known = found.and_then(|fields| field(fields, "lag"));
    match (found, known) {
        (Some(_), None) => Err(unreadable(endpoint, "without the lag of the group")),
        // DEVIATION: Redis cannot tell the lag after an entry was deleted, or for a group that began in the middle; upstream
        // then counts nothing, which empties the workload. The length of the stream is a bound that ends by itself: once
        // the group has read everything, Redis knows the lag again.
        (Some(_), Some(Value::Nil)) | (None, _) => number(endpoint, &entries?),
        (Some(_), Some(lag)) => number(endpoint, lag),
    }
}

/// Upstream: the same check before every reading.
fn check_version(endpoint: &str, info: &Value) -> Result<(), ScalerError> {
    let text = bytes(info).map(String::from_utf8_lossy).unwrap_or_default();
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .map(str::trim);
    let major = version.and_then(|version| version.split('.').next()?.parse::<u64>().ok());
    match (major, version) {
        (Some(major), _) if major >= MODERN => Ok(()),
        (Some(_), Some(version)) => Err(ScalerError::Setting(format!(
            "`lagCount` needs Redis {MODERN} or later; {endpoint} has version {version}"
        ))),
        _ => Err(unreadable(endpoint, "without its version")),
    }
}

/// The elements of an array.
pub(super) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

/// The text of a string.
pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

/// A field of a list of names and values.
pub(super) fn field<'a>(fields: &'a Value, name: &str) -> Option<&'a Value> {
    match fields {
        Value::Map(pairs) => pairs
            .iter()
            .find(|(key, _)| bytes(key) == Some(name.as_bytes()))
            .map(|(_, value)| value),
        other => items(other)?
            .chunks_exact(2)
            .find(|pair| bytes(&pair[0]) == Some(name.as_bytes()))
            .map(|pair| &pair[1]),
    }
}

/// A whole number, never negative.
pub(super) fn number(endpoint: &str, value: &Value) -> Result<i64, ScalerError> {
    match value {
        Value::Int(number) if *number >= 0 => Ok(*number),
        _ => Err(unreadable(endpoint, "with a reply that is no number")),
    }
}

/// An answer that makes no sense. It is not quoted: it may be long.
pub(super) fn unreadable(endpoint: &str, answer: &str) -> ScalerError {
    ScalerError::Answer {
        endpoint: endpoint.to_owned(),
        answer: answer.to_owned(),
    }
}

#[cfg(test)]
mod tests;
