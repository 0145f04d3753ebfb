//! `kubectl keda connections`: the controller's connections to event sources, and who shares them.

use std::time::SystemTime;

use rpc::Time;
use rpc::debug::{Connection, ConnectionsRequest};
use serde_json::{Value, json};

use crate::context::Context;
use crate::debug::{self, DebugArgs};
use crate::exit::{self, Failure};
use crate::output::{ListOutputArgs, Output};
use crate::ui::{cut, table};

/// Users that the narrow table names; the rest is counted.
const USERS: usize = 2;
/// Characters of an error that the narrow table shows.
const ERROR: usize = 80;

/// Arguments of `connections`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda connections
  kubectl keda connections -A -o wide
  kubectl keda connections -A -o jsonpath='{.items[?(@.breaker==\"open\")].endpoint}'")]
pub struct Args {
    /// Show the connections of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How to print the answer
    #[command(flatten)]
    pub output: ListOutputArgs,
    /// Leave the headings out
    #[arg(long)]
    pub no_headers: bool,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let cluster = cx.cluster().await?;
    let namespace = if args.all_namespaces {
        String::new()
    } else {
        cluster.namespace.clone()
    };
    let scope = if args.all_namespaces {
        "all namespaces".to_owned()
    } else {
        format!("namespace {namespace}")
    };
    let caller = debug::controller(&cluster, &args.debug).await?;
    let answer = caller
        .debug()
        .connections(caller.call(ConnectionsRequest { namespace }))
        .await
        .map_err(|status| caller.failed(&format!("list the connections of {scope}"), &status))?;
    let items = answer.into_inner().items;
    let now = Time::from(SystemTime::now());
    let value = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": items.iter().map(|item| described(item, now)).collect::<Vec<_>>(),
    });
    let text = match &args.output.form {
        Output::Name => items
            .iter()
            .flat_map(|item| [item.scaler.as_str(), "/", &item.endpoint, "\n"])
            .collect(),
        people @ (Output::Table | Output::Wide) => {
            if items.is_empty() {
                cx.ui.say(&format!("no connections for {scope}"));
                return Ok(exit::OK);
            }
            rendered(&items, now, *people == Output::Wide, args.no_headers)
        }
        machine => machine.render(&value)?.unwrap_or_default(),
    };
    cx.ui.data(&text)?;
    Ok(exit::OK)
}

fn rendered(items: &[Connection], now: Time, wide: bool, bare: bool) -> String {
    let mut headings = vec![
        "SOURCE",
        "ENDPOINT",
        "STATE",
        "BREAKER",
        "AGE",
        "PER MINUTE",
        "ASKED",
        "ERRORS",
        "SHARED BY",
    ];
    if wide {
        headings.extend(["CREDENTIAL", "SAVED", "BATCHES", "NEXT PROBE"]);
    }
    headings.push("LAST ERROR");
    let rows: Vec<Vec<String>> = items.iter().map(|item| row(item, now, wide)).collect();
    let text = table::render(&headings, &rows);
    if bare {
        text.split_once('\n')
            .map_or(String::new(), |(_, rows)| rows.to_owned())
    } else {
        text
    }
}

fn row(item: &Connection, now: Time, wide: bool) -> Vec<String> {
    let age = item.opened.map_or(String::new(), |opened| {
        table::human_duration(now.seconds - opened.seconds)
    });
    let mut row = vec![
        item.scaler.clone(),
        item.endpoint.clone(),
        item.state.clone(),
        item.breaker.clone(),
        age,
        format!("{:.1}", item.questions_per_minute),
        item.requests.to_string(),
        item.errors.to_string(),
        users(&item.users, wide),
    ];
    if wide {
        let probe = item.next_probe.map_or(String::new(), |probe| {
            format!("in {}s", (probe.seconds - now.seconds).max(0))
        });
        row.extend([
            item.credential.clone(),
            item.shared.to_string(),
            item.batches.to_string(),
            probe,
        ]);
    }
    row.push(if wide {
        item.last_error.clone()
    } else {
        cut(&item.last_error, ERROR)
    });
    row
}

fn users(users: &[String], wide: bool) -> String {
    if wide || users.len() <= USERS {
        return users.join(", ");
    }
    format!("{}, +{} more", users[..USERS].join(", "), users.len() - USERS)
}

/// A connection for machines; times as the API server writes them.
fn described(item: &Connection, now: Time) -> Value {
    let time = |time: Option<Time>| {
        let time = time?;
        jiff::Timestamp::from_second(time.seconds)
            .ok()
            .map(|time| time.to_string())
    };
    json!({
        "scaler": item.scaler,
        "endpoint": item.endpoint,
        "credential": item.credential,
        "state": item.state,
        "breaker": item.breaker,
        "opened": time(item.opened),
        "ageSeconds": item.opened.map(|opened| now.seconds - opened.seconds),
        "users": item.users,
        "questionsPerMinute": item.questions_per_minute,
        "requests": item.requests,
        "shared": item.shared,
        "batches": item.batches,
        "errors": item.errors,
        "lastError": item.last_error,
        "nextProbe": time(item.next_probe),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let users = ["shop/a[0]", "shop/b[0]", "shop/c[1]"];
        Connection {
            scaler: "redis".to_owned(),
            endpoint: "redis.shop.svc:6379".to_owned(),
            users: users.map(str::to_owned).to_vec(),
            opened: Some(Time {
                seconds: 1000,
                nanos: 0,
            }),
            requests: 240,
            errors: 2,
            last_error: "no answer within 3s".to_owned(),
            state: "open".to_owned(),
            breaker: "half-open".to_owned(),
            questions_per_minute: 12.04,
            batches: 80,
            shared: 17,
            credential: "a1b2".to_owned(),
            next_probe: Some(Time {
                seconds: 1310,
                nanos: 0,
            }),
        }
    }

    const NOW: Time = Time {
        seconds: 1300,
        nanos: 0,
    };

    #[test]
    fn the_table_says_who_shares_what() {
        let items = [connection(), Connection::default()];
        insta::assert_snapshot!(rendered(&items, NOW, false, false), @r"
        SOURCE   ENDPOINT              STATE   BREAKER     AGE   PER MINUTE   ASKED   ERRORS   SHARED BY                       LAST ERROR
        redis    redis.shop.svc:6379   open    half-open   5m    12.0         240     2        shop/a[0], shop/b[0], +1 more   no answer within 3s
        -        -                     -       -           -     0.0          0       0        -                               -
        ");
        insta::assert_snapshot!(rendered(&items[..1], NOW, true, false), @r"
        SOURCE   ENDPOINT              STATE   BREAKER     AGE   PER MINUTE   ASKED   ERRORS   SHARED BY                         CREDENTIAL   SAVED   BATCHES   NEXT PROBE   LAST ERROR
        redis    redis.shop.svc:6379   open    half-open   5m    12.0         240     2        shop/a[0], shop/b[0], shop/c[1]   a1b2         17      80        in 10s       no answer within 3s
        ");
    }

    #[test]
    fn machines_get_every_figure() {
        let value = described(&connection(), NOW);
        assert_eq!(value["ageSeconds"], 300);
        assert_eq!(value["opened"], "1970-01-01T00:16:40Z");
        assert_eq!(value["users"].as_array().map(Vec::len), Some(3));
    }
}
