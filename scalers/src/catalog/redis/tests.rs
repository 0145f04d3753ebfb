use super::*;
use crate::metadata::TriggerMetadata as _;
use crate::{AuthParams, TriggerInput};

fn input(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    TriggerInput {
        metadata: metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        auth: params,
        ..TriggerInput::default()
    }
}

#[track_caller]
fn source<M: Mode>(metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> Server {
    let input = input(metadata, auth);
    let mut reader = Reader::new(&input);
    let list = RedisList::<M>::read(&mut reader).expect("right settings");
    list.check(&mut reader);
    assert!(!reader.has_errors(), "{:?}", reader.into_diagnostics());
    list.source()
}

#[test]
fn pairs_of_hosts_and_ports_come_after_the_addresses() {
    let given = [
        ("listName", "jobs"),
        ("addresses", "a:1, b:2"),
        ("hosts", "c,d"),
        ("ports", "3,4"),
    ];
    assert_eq!(
        source::<Cluster>(&given, &[]).addresses,
        ["a:1", "b:2", "c:3", "d:4"]
    );
}

#[test]
fn tls_follows_either_switch() {
    let base = [("listName", "jobs"), ("address", "a:1")];
    assert_eq!(source::<Single>(&base, &[("ca", "x")]).tls, None);
    assert_eq!(
        source::<Single>(&base, &[("tls", "disable"), ("ca", "x")]).tls,
        None
    );
    let tls = source::<Single>(
        &base,
        &[("tls", "enable"), ("ca", "x"), ("cert", "y"), ("key", "z")],
    )
    .tls;
    let tls = tls.expect("TLS");
    assert_eq!(
        (tls.ca, tls.certificate, tls.key),
        (Some("x".into()), Some("y".into()), Some("z".into()))
    );
    let flag = [
        ("listName", "jobs"),
        ("address", "a:1"),
        ("enableTLS", "true"),
        ("unsafeSsl", "true"),
    ];
    assert!(source::<Single>(&flag, &[]).tls.expect("TLS").unsafe_ssl);
}

#[test]
fn what_makes_sources_differ() {
    let of = |metadata: &[(&str, &str)], auth: &[(&str, &str)]| {
        let mut all = vec![("address", "a:1")];
        all.extend_from_slice(metadata);
        source::<Single>(&all, auth)
    };
    let jobs = of(&[("listName", "jobs")], &[]);
    assert_eq!(
        jobs,
        of(&[("listName", "mails"), ("listLength", "9")], &[]),
        "a list is a question"
    );
    assert_ne!(jobs, of(&[("listName", "jobs"), ("databaseIndex", "1")], &[]));
    assert_ne!(jobs, of(&[("listName", "jobs")], &[("password", "p")]));
    assert_ne!(
        of(&[("listName", "jobs")], &[("password", "p")]),
        of(&[("listName", "jobs")], &[("password", "q")])
    );
}

#[test]
fn sentinels_have_credentials_of_their_own() {
    let given = [
        ("listName", "jobs"),
        ("address", "s:26379"),
        ("sentinelMaster", "main"),
        ("sentinelUsername", "u"),
    ];
    let source = source::<Sentinel>(&given, &[("sentinelPassword", "p"), ("password", "q")]);
    let login = Login {
        username: Some("u".to_owned()),
        password: Some("p".into()),
    };
    assert_eq!(
        source.topology,
        Topology::Sentinel {
            master: "main".to_owned(),
            login
        }
    );
    assert_eq!(source.login.password, Some("q".into()));
}

#[test]
fn replies_are_read() {
    let input = input(&[("listName", "jobs"), ("address", "a:1")], &[]);
    let list = RedisList::<Single>::read(&mut Reader::new(&input)).expect("right settings");
    assert_eq!(
        list.read_answer(&Answer::Length(3)).expect("a value"),
        [Reading::from(3.0)]
    );
    let error = list
        .read_answer(&Answer::OtherType("stream".to_owned()))
        .expect_err("no length");
    assert_eq!(
        error.to_string(),
        "the key `jobs` holds a stream, whose elements are not counted"
    );
}
