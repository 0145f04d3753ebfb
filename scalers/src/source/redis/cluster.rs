//! Which node of a cluster has which keys.

use redis::Value;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};

use super::question::{bytes, items, unreadable};
use crate::ScalerError;

/// Slots that one node has.
#[derive(Debug, PartialEq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    /// `host:port` of the node.
    pub(super) address: String,
}

impl Range {
    /// Whether a slot is among them.
    pub(super) fn holds(&self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    /// The way to the node.
    pub(super) fn route(&self) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::SpecificNode(Route::new(self.first, SlotAddr::Master))
    }
}

/// Reads the reply to `CLUSTER SLOTS`.
pub(super) fn ranges(endpoint: &str, reply: &Value) -> Result<Vec<Range>, ScalerError> {
    let wrong = || unreadable(endpoint, "with slots that cannot be read");
    let all: Option<Vec<Range>> = items(reply).ok_or_else(wrong)?.iter().map(range).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(wrong)
}

fn range(value: &Value) -> Option<Range> {
    let [Value::Int(first), Value::Int(last), master, ..] = items(value)? else {
        return None;
    };
    let [host, Value::Int(port), ..] = items(master)? else {
        return None;
    };
    let host = std::str::from_utf8(bytes(host)?).ok()?;
    // A node that does not know its own address says nothing, or `?`.
    if host.is_empty() || host == "?" {
        return None;
    }
    let port = u16::try_from(*port).ok()?;
    let address = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    Some(Range {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![
            Value::BulkString(host.as_bytes().to_vec()),
            Value::Int(port),
            Value::BulkString(b"id".to_vec()),
        ])
    }

    fn reply(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::Array(vec![
            Value::Int(0),
            Value::Int(5460),
            node(host, port),
            node("replica", 7),
        ])])
    }

    #[test]
    fn the_first_node_of_a_range_has_its_slots() {
        let found = ranges("r", &reply("10.0.0.1", 6379)).expect("ranges");
        assert_eq!(found[0].address, "10.0.0.1:6379");
        assert!(found[0].holds(0) && found[0].holds(5460) && !found[0].holds(5461));
        assert_eq!(
            ranges("r", &reply("fd00::1", 1)).expect("ranges")[0].address,
            "[fd00::1]:1"
        );
    }

    #[test]
    fn what_names_no_node_is_refused() {
        for bad in [
            reply("", 1),
            reply("?", 1),
            reply("a", 70_000),
            Value::Nil,
            Value::Array(Vec::new()),
            Value::Array(vec![Value::Int(1)]),
        ] {
            let error = ranges("r", &bad).expect_err("no ranges").to_string();
            assert_eq!(error, "r answered with slots that cannot be read", "{bad:?}");
        }
    }
}
