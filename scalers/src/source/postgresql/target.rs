//! Which database a trigger names: a connection string in either of libpq's forms, or the single settings.
//!
//! Upstream: `getConnection` in `postgresql_scaler.go`, and what pgx takes for a connection string. No message quotes
//! the string: any part of it may be the password.

use std::fmt::Write as _;

use super::Target;
use crate::Secret;
use crate::source::sql::{self, Settings, unescape};

/// A database with everything that makes a connection to it different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Database {
    /// Hosts with their ports, tried in order; a host that begins with `/` is a folder of Unix sockets.
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) user: String,
    pub(crate) password: Option<Secret<String>>,
    /// The database; the server takes the user's name without one.
    pub(crate) name: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) session: Session,
    pub(crate) application_name: String,
    /// Further settings of the session, as the server's command line takes them.
    pub(crate) options: String,
    /// Seconds.
    pub(crate) connect_timeout: Option<u64>,
}

/// How the connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tls {
    pub(crate) mode: SslMode,
    /// The file of trusted certificates, or `system`.
    pub(crate) root: Option<String>,
    /// The files of the client's certificate and key.
    pub(crate) identity: Option<(String, String)>,
    pub(crate) key_password: Option<Secret<String>>,
    /// TLS from the first byte, which servers from version 17 on understand.
    pub(crate) direct: bool,
    pub(crate) channel_binding: Binding,
}

/// Whether a login is bound to the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    Disable,
    Prefer,
    Require,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SslMode {
    /// Plain.
    Disable,
    /// Plain, and TLS where the server insists on it.
    Allow,
    /// TLS, and plain where the server has none.
    Prefer,
    /// TLS with any certificate; with trusted certificates given, the same as [`SslMode::VerifyCa`].
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for this very host.
    VerifyFull,
}

/// What the server must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Session {
    Any,
    ReadWrite,
    ReadOnly,
    PreferReadOnly,
}

impl Target {
    /// Reads a connection string.
    pub(crate) fn parse(text: &str) -> Self {
        let url = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let settings = match url {
            Some(rest) => parse_url(rest),
            None => parse_pairs(text),
        };
        Self::new(settings.and_then(database))
    }

    /// Reads settings under libpq's names.
    pub(crate) fn from_settings(settings: Settings) -> Self {
        Self::new(database(settings))
    }
}

impl sql::Database for Database {
    const WHAT: &'static str = "database";

    fn endpoint(&self) -> String {
        let mut text = String::new();
        for (host, port) in &self.hosts {
            let separator = if text.is_empty() { "" } else { "," };
            let _ = if host.contains(':') {
                write!(text, "{separator}[{host}]:{port}")
            } else {
                write!(text, "{separator}{host}:{port}")
            };
        }
        let name = self.name.as_deref().unwrap_or(&self.user);
        let _ = write!(text, "/{name}");
        text
    }
}

/// Settings that say how to connect; every other one is a setting of the session, as pgx has it.
fn database(mut settings: Settings) -> Result<Database, String> {
    let mut take = |name: &str| settings.remove(name).filter(|value| !value.is_empty());
    for name in ["service", "servicefile", "passfile"] {
        if take(name).is_some() {
            return Err(format!(
                "`{name}` cannot be used here: there is no such file to read"
            ));
        }
    }
    // Kerberos and pgx's own caches have no counterpart; what they say changes no value.
    for name in [
        "krbspn",
        "krbsrvname",
        "default_query_exec_mode",
        "statement_cache_capacity",
        "description_cache_capacity",
        "sslsni",
    ] {
        take(name);
    }
    let hosts = hosts(take("host"), take("port"))?;
    let tls = tls(&mut take)?;
    let session = match take("target_session_attrs").as_deref() {
        None | Some("any") => Session::Any,
        Some("read-write" | "primary") => Session::ReadWrite,
        Some("read-only" | "standby") => Session::ReadOnly,
        Some("prefer-standby") => Session::PreferReadOnly,
        Some(_) => return Err("`target_session_attrs` must be one that libpq knows".to_owned()),
    };
    let connect_timeout = take("connect_timeout")
        .map(|text| {
            text.parse()
                .map_err(|_| "`connect_timeout` must be whole seconds".to_owned())
        })
        .transpose()?;
    Ok(Database {
        hosts,
        user: take("user").ok_or("the user is missing")?,
        password: take("password").map(Secret::new),
        name: take("dbname").or_else(|| take("database")),
        tls,
        session,
        application_name: take("application_name")
            .or_else(|| take("fallback_application_name"))
            .unwrap_or_else(|| "keda".to_owned()),
        connect_timeout,
        options: options(take("options").unwrap_or_default(), settings)?,
    })
}

/// Settings that say how the connection is encrypted.
fn tls(take: &mut impl FnMut(&str) -> Option<String>) -> Result<Tls, String> {
    let identity = match (take("sslcert"), take("sslkey")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("`sslcert` and `sslkey` go together".to_owned()),
    };
    Ok(Tls {
        mode: ssl_mode(take("sslmode").as_deref())?,
        root: take("sslrootcert"),
        identity,
        key_password: take("sslpassword").map(Secret::new),
        direct: match take("sslnegotiation").as_deref() {
            None | Some("postgres") => false,
            Some("direct") => true,
            Some(_) => return Err("`sslnegotiation` must be `postgres` or `direct`".to_owned()),
        },
        channel_binding: match take("channel_binding").as_deref() {
            None | Some("prefer") => Binding::Prefer,
            Some("disable") => Binding::Disable,
            Some("require") => Binding::Require,
            Some(_) => return Err("`channel_binding` must be `disable`, `prefer` or `require`".to_owned()),
        },
    })
}

/// Hosts with their ports; the first port stands in for missing ones.
fn hosts(hosts: Option<String>, ports: Option<String>) -> Result<Vec<(String, u16)>, String> {
    let hosts = hosts.unwrap_or_else(|| "localhost".to_owned());
    let ports = ports.unwrap_or_default();
    let ports: Vec<&str> = ports.split(',').map(str::trim).collect();
    let port = |index: usize| match ports.get(index).unwrap_or(&ports[0]) {
        &"" => Ok(5432),
        text => text
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| "the port must be a number from 1 to 65535".to_owned()),
    };
    hosts
        .split(',')
        .enumerate()
        .map(|(index, host)| {
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            let host = if host.is_empty() { "localhost" } else { host };
            Ok((host.to_owned(), port(index)?))
        })
        .collect()
}

fn ssl_mode(text: Option<&str>) -> Result<SslMode, String> {
    Ok(match text {
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        None | Some("prefer") => SslMode::Prefer,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(_) => {
            let rule =
                "`sslmode` must be one of `disable` `allow` `prefer` `require` `verify-ca` `verify-full`";
            return Err(rule.to_owned());
        }
    })
}

/// Settings of the session behind those of `options`, in a fixed order so that equal databases have equal keys.
fn options(given: String, settings: Settings) -> Result<String, String> {
    let mut rest: Vec<(String, String)> = settings.into_iter().collect();
    rest.sort();
    let mut options = given;
    for (name, value) in rest {
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        {
            return Err("the connection string must be `name=value` pairs or a URL".to_owned());
        }
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        let separator = if options.is_empty() { "" } else { " " };
        let _ = write!(options, "{separator}-c {name}={value}");
    }
    Ok(options)
}

/// `name=value` pairs between blanks; a value may stand in quotes, and a backslash takes the next character as it is.
fn parse_pairs(text: &str) -> Result<Settings, String> {
    let malformed = || "the connection string must be `name=value` pairs or a URL".to_owned();
    let mut settings = Settings::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(malformed)?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(malformed());
        }
        let (value, after) = value(after.trim_start())?;
        settings.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    Ok(settings)
}

/// The value at the start of a text, and what stands behind it.
fn value(text: &str) -> Result<(String, &str), String> {
    let (quoted, body) = match text.strip_prefix('\'') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut value = String::new();
    let mut characters = body.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((_, escaped)) => value.push(escaped),
                None => return Err("the connection string ends with a lone backslash".to_owned()),
            },
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err("the connection string has a quote that does not end".to_owned());
    }
    Ok((value, ""))
}

/// What stands behind the scheme: `user:password@host:port,host:port/database?name=value`.
fn parse_url(rest: &str) -> Result<Settings, String> {
    let broken = || "the connection string has a broken `%` escape".to_owned();
    let mut settings = Settings::new();
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let (login, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    let mut add = |name: &str, text: &str, plus_is_blank: bool| -> Result<(), String> {
        let value = unescape(text, plus_is_blank).ok_or_else(broken)?;
        if !value.is_empty() {
            settings.insert(name.to_owned(), value);
        }
        Ok(())
    };
    add("user", user, false)?;
    add("password", password.unwrap_or_default(), false)?;
    add("dbname", path, false)?;
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in places.split(',').filter(|place| !place.is_empty()) {
        let colon = place.rfind(':').filter(|colon| !place[*colon..].contains(']'));
        let (host, port) = colon.map_or((place, ""), |colon| (&place[..colon], &place[colon + 1..]));
        hosts.push(host);
        ports.push(port);
    }
    add("host", &hosts.join(","), false)?;
    if ports.iter().any(|port| !port.is_empty()) {
        let ports: Vec<&str> = ports
            .iter()
            .map(|port| if port.is_empty() { "5432" } else { port })
            .collect();
        add("port", &ports.join(","), false)?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unescape(name, true).ok_or_else(broken)?;
        add(&name, value, true)?;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Database {
        match Target::parse(text) {
            Target::Database(database) => *database,
            Target::Unusable(reason) => panic!("{text}: {reason}"),
        }
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        match Target::parse(text) {
            Target::Unusable(reason) => assert_eq!(reason, because, "{text}"),
            Target::Database(database) => panic!("{text}: {database:?}"),
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let pairs =
            read("host=pg.example.svc port = 5433 user=reader dbname=shop sslmode=require password='a b'");
        let url = read("postgresql://reader:a%20b@pg.example.svc:5433/shop?sslmode=require");
        assert_eq!(pairs, url);
        assert_eq!(pairs.hosts, [("pg.example.svc".to_owned(), 5433)]);
        assert_eq!(pairs.password, Some("a b".into()));
        assert_eq!(pairs.tls.mode, SslMode::Require);
    }

    #[test]
    fn quotes_and_backslashes_are_undone() {
        let password = |text: &str| read(text).password.expect("a password").expose().clone();
        assert_eq!(
            password(r"user=u password='it\'s \\ here' dbname=d"),
            r"it's \ here"
        );
        assert_eq!(password(r"user=u password=it\'s\ here"), "it's here");
        assert_eq!(password("user=u password = 'x' "), "x");
        assert_eq!(password("postgres://u:p%40ss%3Aw%2Frd@h/d"), "p@ss:w/rd");
        assert_eq!(password("postgres://u:p+w@h/d"), "p+w");
    }

    #[test]
    fn what_is_left_out_has_libpqs_value() {
        let database = read("user=u");
        assert_eq!(database.hosts, [("localhost".to_owned(), 5432)]);
        assert_eq!((database.name, database.tls.mode), (None, SslMode::Prefer));
        assert_eq!(
            Target::parse("postgres://u@/?host=/run/pg").endpoint(),
            "/run/pg:5432/u"
        );
    }

    #[test]
    fn several_hosts_have_their_ports() {
        let hosts = |text: &str| -> Vec<String> {
            read(text)
                .hosts
                .iter()
                .map(|(host, port)| format!("{host} {port}"))
                .collect()
        };
        assert_eq!(hosts("host=a,b port=1,2 user=u"), ["a 1", "b 2"]);
        assert_eq!(hosts("host=a,b port=7 user=u"), ["a 7", "b 7"]);
        assert_eq!(hosts("postgres://u@a:1,b,[::1]:3/d"), ["a 1", "b 5432", "::1 3"]);
        assert_eq!(
            Target::parse("postgres://u@a:1,[::1]:3/d").endpoint(),
            "a:1,[::1]:3/d"
        );
    }

    #[test]
    fn other_settings_belong_to_the_session() {
        let database = read(r"user=u search_path=a\ b statement_timeout=5 options='-c work_mem=1MB'");
        assert_eq!(
            database.options,
            r"-c work_mem=1MB -c search_path=a\ b -c statement_timeout=5"
        );
        assert_eq!(database.application_name, "keda");
    }

    #[test]
    fn every_mode_is_known_and_no_other() {
        for (text, mode) in [
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ] {
            assert_eq!(read(&format!("user=u sslmode={text}")).tls.mode, mode);
        }
        refused(
            "user=u sslmode=maybe",
            "`sslmode` must be one of `disable` `allow` `prefer` `require` `verify-ca` `verify-full`",
        );
    }

    #[test]
    fn mistakes_are_named_without_what_was_written() {
        let pairs = "the connection string must be `name=value` pairs or a URL";
        refused("acorn", pairs);
        refused("user=u password=two words", pairs);
        refused("user=u password=two wo-rds=x", pairs);
        refused(
            "user=u password='open",
            "the connection string has a quote that does not end",
        );
        refused(
            r"user=u password=x\",
            "the connection string ends with a lone backslash",
        );
        refused(
            "postgres://u:%zz@h/d",
            "the connection string has a broken `%` escape",
        );
        refused("host=h", "the user is missing");
        refused("user=u port=many", "the port must be a number from 1 to 65535");
        refused("user=u port=0", "the port must be a number from 1 to 65535");
        refused("user=u sslcert=/a", "`sslcert` and `sslkey` go together");
        refused(
            "user=u service=x",
            "`service` cannot be used here: there is no such file to read",
        );
    }

    #[test]
    fn passwords_are_not_printed() {
        let target = Target::parse("postgres://reader:hush-hush@h/d?sslpassword=hush-hush");
        assert!(!format!("{target:?} {}", target.endpoint()).contains("hush-hush"));
    }
}
