use super::*;
use crate::scaler::Trigger as _;
use crate::source::amqp::{Broker, Login};
use crate::{AuthParams, TriggerInput, read as read_trigger};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn input(metadata: Pairs<'_>, auth: Pairs<'_>) -> TriggerInput {
    let mut params = AuthParams::default();
    for (parameter, value) in auth {
        params.insert(*parameter, *value);
    }
    let mut input = TriggerInput {
        type_: "rabbitmq".to_owned(),
        auth: params,
        ..TriggerInput::default()
    };
    let base = [("queueName", "jobs"), ("host", "amqp://rabbit.example")];
    for (key, value) in base.iter().chain(metadata) {
        input.metadata.insert((*key).to_owned(), (*value).to_owned());
    }
    input
}

#[track_caller]
fn broker(metadata: Pairs<'_>, auth: Pairs<'_>) -> Broker {
    let input = input(metadata, auth);
    let mut reader = Reader::new(&input);
    let settings = RabbitMq::read(&mut reader).expect("right settings");
    assert_eq!(settings.way(&mut reader), Some(Way::Amqp));
    settings.check(Way::Amqp, &mut reader);
    assert!(!reader.has_errors(), "{:?}", reader.into_diagnostics());
    amqp::OverAmqp::new(settings).source()
}

#[track_caller]
fn refused(metadata: Pairs<'_>, auth: Pairs<'_>, message: &str) {
    let findings = read_trigger(&input(metadata, auth)).expect_err("refused");
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(messages.contains(&message), "{messages:?}");
}

fn plain(username: &str, password: &str) -> Login {
    Login::Plain {
        username: username.to_owned(),
        password: password.into(),
    }
}

#[test]
fn a_url_names_broker_vhost_and_user() {
    let of = |host| broker(&[("host", host)], &[]);
    let bare = of("amqp://rabbit.example");
    assert_eq!(
        (bare.host.as_str(), bare.port, bare.vhost.as_str()),
        ("rabbit.example", 5672, "/")
    );
    assert_eq!((bare.login, bare.tls), (plain("guest", "guest"), None));
    let full = of("amqps://us%40er:p%2Fw@rabbit.example:99/a%2Fb");
    assert_eq!((full.port, full.vhost.as_str()), (99, "a/b"));
    assert_eq!(full.login, plain("us@er", "p/w"));
    assert_eq!(full.tls, Some(TlsSettings::default()));
    assert_eq!(of("amqps://rabbit.example/%2f").port, 5671);
    assert_eq!(of("amqp://rabbit.example/%2f").vhost, "/");
    assert_eq!(of("amqp://[::1]:5673/").host, "::1");
}

#[test]
fn settings_replace_what_the_url_says() {
    let host = ("host", "amqp://a:b@rabbit.example/one");
    let own = broker(
        &[host, ("vhostName", "two/three")],
        &[("username", "u"), ("password", "p")],
    );
    assert_eq!((own.vhost.as_str(), own.login), ("two/three", plain("u", "p")));
}

#[test]
fn a_certificate_without_a_password_proves_by_itself() {
    let tls = [("tls", "enable"), ("cert", "c"), ("key", "k"), ("ca", "a")];
    let external = broker(&[("host", "amqps://rabbit.example")], &tls);
    assert_eq!(external.login, Login::External);
    let settings = external.tls.expect("TLS");
    assert_eq!(
        (settings.certificate, settings.ca),
        (Some("c".into()), Some("a".into()))
    );
    let both = broker(&[("host", "amqps://u:p@rabbit.example")], &tls);
    assert_eq!(both.login, plain("u", "p"));
    // Without `tls: enable` the certificate is not used, so it proves nothing.
    let unused = broker(&[("host", "amqps://rabbit.example")], &tls[1..]);
    assert_eq!(
        (unused.login, unused.tls),
        (plain("guest", "guest"), Some(TlsSettings::default()))
    );
}

#[test]
fn what_makes_connections_differ() {
    let jobs = broker(&[], &[]);
    let same = [("queueName", "mails"), ("mode", "QueueLength"), ("value", "3")];
    assert_eq!(jobs, broker(&same, &[]), "a queue is a question");
    assert_ne!(
        jobs,
        broker(&[("vhostName", "shop")], &[]),
        "a connection is in one virtual host"
    );
    assert_ne!(jobs, broker(&[], &[("username", "u"), ("password", "p")]));
    assert_ne!(jobs, broker(&[("host", "amqps://rabbit.example")], &[]));
}

#[test]
fn what_needs_the_other_protocol_is_named() {
    for (key, value) in [("useRegex", "true"), ("excludeUnacknowledged", "true")] {
        refused(
            &[(key, value)],
            &[],
            &format!("`{key}` needs the protocol `http`"),
        );
    }
    refused(
        &[("mode", "MessageRate"), ("value", "1")],
        &[],
        "`mode` needs the protocol `http`",
    );
    refused(
        &[("mode", "QueueLength"), ("value", "1"), ("timeout", "1s")],
        &[],
        "`timeout` needs the protocol `http`",
    );
    read_trigger(&input(&[("timeout", "1s")], &[])).expect("upstream lets it pass without a mode");
    let http = ("host", "http://rabbit.example");
    refused(&[http, ("push", "true")], &[], "`push` needs the protocol `amqp`");
}

#[test]
fn rules_between_settings() {
    let http = ("host", "http://rabbit.example");
    refused(&[("pageSize", "0")], &[], "`pageSize` must be at least 1");
    refused(
        &[("queueLength", "5"), ("mode", "QueueLength"), ("value", "5")],
        &[],
        "`queueLength` cannot stand beside `mode` and `value`",
    );
    refused(
        &[("tls", "enable")],
        &[("tls", "maybe")],
        "`tls` must be one of `enable` `disable`",
    );
    let oauth = [
        ("oauthTokenURI", "http://t"),
        ("clientID", "c"),
        ("clientSecret", "s"),
    ];
    let with = |more: (&'static str, &'static str)| [oauth.as_slice(), &[more]].concat();
    read_trigger(&input(&[http], &oauth)).expect("OAuth 2");
    refused(
        &[http],
        &with(("workloadIdentityResource", "r")),
        "`oauthTokenURI` cannot stand beside `username` or `workloadIdentityResource`",
    );
    refused(
        &[http],
        &oauth[..2],
        "`oauthTokenURI`, `clientID` and `clientSecret` must be given together",
    );
}

#[test]
fn a_workload_identity_is_not_silently_left_out() {
    let mut input = input(
        &[("host", "http://rabbit.example")],
        &[("workloadIdentityResource", "r")],
    );
    input.identity = Some(crds::PodIdentity {
        provider: IdentityProvider::AzureWorkload,
        ..serde_json::from_str(r#"{"provider": "azure-workload"}"#).expect("an identity")
    });
    let findings = read_trigger(&input).expect_err("refused");
    assert_eq!(
        findings[0].message,
        "`workloadIdentityResource` is not in this version yet"
    );
}

#[test]
fn nothing_prints_a_credential() {
    let url = "amqps://user:hush-hush@rabbit.example/v";
    for (metadata, auth) in [
        (
            [("host", url)],
            [("ca", "hush-hush"), ("keyPassword", "hush-hush")],
        ),
        (
            [("host", "https://user:hush-hush@rabbit.example/v")],
            [("username", "hush-hush"), ("password", "hush-hush")],
        ),
    ] {
        let built = read_trigger(&input(&metadata, &auth)).expect("right settings");
        let printed = format!("{built:?}");
        assert!(!printed.contains("hush-hush"), "{printed}");
    }
    // Neither does what is said of an address that is none.
    let findings = read_trigger(&input(&[("host", "amqp:hush-hush")], &[])).expect_err("no host");
    assert!(!format!("{findings:?}").contains("hush-hush"), "{findings:?}");
}
