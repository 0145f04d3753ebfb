//! Which server a trigger names: a data source name as Go's MySQL driver takes it, or the single settings.
//!
//! `user:password@tcp(host:port)/database?name=value`. Upstream: `metadataToConnectionStr` in `mysql_scaler.go`. No
//! message quotes the name: any part of it may be the password.

use super::Target;
use crate::Secret;
use crate::source::sql::{Database, unescape};

/// A server with everything that makes a connection to it different from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) address: Address,
    pub(crate) user: String,
    pub(crate) password: Secret<String>,
    /// The database; empty for none.
    pub(crate) database: String,
    pub(crate) tls: Tls,
    /// Whether a server may have the password in plain text without TLS.
    pub(crate) cleartext: bool,
    /// Whether the server may ask for `mysql_native_password`.
    pub(crate) native: bool,
    /// Variables of the session with their values, as SQL.
    pub(crate) variables: Vec<(String, String)>,
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(String),
}

/// The driver's `tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tls {
    /// `false`.
    Off,
    /// `true`: with a certificate of a trusted authority for this very host.
    Verified,
    /// `skip-verify`: with any certificate.
    Unverified,
    /// `preferred`: with any certificate, and plain where the server has no TLS.
    Preferred,
}

/// A server as the single settings name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Single<'a> {
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) database: Option<&'a str>,
}

impl Target {
    /// Reads a data source name.
    pub(crate) fn parse(text: &str) -> Self {
        Self::new(server(text))
    }

    /// Takes the single settings as they are.
    pub(crate) fn single(single: &Single<'_>) -> Self {
        Self::new(Server::single(single))
    }
}

impl Database for Server {
    const WHAT: &'static str = "server";

    fn endpoint(&self) -> String {
        let address = match &self.address {
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
            Address::Unix(path) => path.clone(),
        };
        format!("{address}/{}", self.database)
    }
}

impl Server {
    fn single(single: &Single<'_>) -> Result<Self, String> {
        let Some(host) = single.host else {
            return Err("neither `host` nor `connectionString` names a server".to_owned());
        };
        let port = single.port.map_or(Ok(3306), parse_port)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut server = Self::at(Address::Tcp { host, port });
        single.user.unwrap_or_default().clone_into(&mut server.user);
        server.password = single.password.unwrap_or_default().into();
        single
            .database
            .unwrap_or_default()
            .clone_into(&mut server.database);
        Ok(server)
    }

    fn at(address: Address) -> Self {
        Self {
            address,
            user: String::new(),
            password: Secret::default(),
            database: String::new(),
            tls: Tls::Off,
            cleartext: false,
            native: true,
            variables: Vec::new(),
        }
    }
}

/// The driver looks for the last slash, and before it for the last `@`: a password may hold either.
fn server(text: &str) -> Result<Server, String> {
    let (left, right) = text
        .rsplit_once('/')
        .ok_or("the connection string lacks the slash before the database")?;
    let (login, place) = match left.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, left),
    };
    let mut server = Server::at(address(place)?);
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        user.clone_into(&mut server.user);
        server.password = password.into();
    }
    let (database, parameters) = right.split_once('?').unwrap_or((right, ""));
    let escape = "the connection string has a broken `%` escape";
    server.database = unescape(database, false).ok_or(escape)?;
    for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or("a parameter of the connection string lacks its value")?;
        parameter(&mut server, name, unescape(value, true).ok_or(escape)?)?;
    }
    Ok(server)
}

/// `tcp(host:port)`, `unix(/path)`, `tcp`, or nothing at all.
fn address(place: &str) -> Result<Address, String> {
    let (network, inside) = match place.split_once('(') {
        Some((network, rest)) => {
            let inside = rest.strip_suffix(')').ok_or(
                "the address in the connection string must stand in brackets, as in `tcp(host:3306)`",
            )?;
            (network, inside)
        }
        None => (place, ""),
    };
    match network {
        "" | "tcp" if inside.is_empty() => Ok(Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 3306,
        }),
        "" | "tcp" => tcp(inside),
        "unix" if inside.is_empty() => Ok(Address::Unix("/tmp/mysql.sock".to_owned())),
        "unix" => Ok(Address::Unix(inside.to_owned())),
        _ => {
            Err("the connection string must name its address as `tcp(host:port)` or `unix(/path)`".to_owned())
        }
    }
}

fn tcp(text: &str) -> Result<Address, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => {
            (host, parse_port(port)?)
        }
        _ => (text, 3306),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Address::Tcp { host, port })
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| "the port must be a number from 1 to 65535".to_owned())
}

/// One parameter. What only concerns the driver's buffers, times and types changes no value here.
fn parameter(server: &mut Server, name: &str, value: String) -> Result<(), String> {
    match name {
        "tls" => {
            server.tls = match value.as_str() {
                "skip-verify" | "SKIP-VERIFY" => Tls::Unverified,
                "preferred" | "PREFERRED" => Tls::Preferred,
                text => match flag(text) {
                    Some(true) => Tls::Verified,
                    Some(false) => Tls::Off,
                    None => {
                        let rule = "`tls` must be `true`, `false`, `skip-verify` or `preferred`";
                        return Err(rule.to_owned());
                    }
                },
            }
        }
        "allowFallbackToPlaintext" => {
            if flag(&value) == Some(true) && server.tls != Tls::Off {
                server.tls = Tls::Preferred;
            }
        }
        "allowCleartextPasswords" => server.cleartext = flag(&value).unwrap_or_default(),
        "allowNativePasswords" => server.native = flag(&value).unwrap_or(true),
        "allowAllFiles"
        | "allowOldPasswords"
        | "charset"
        | "checkConnLiveness"
        | "clientFoundRows"
        | "collation"
        | "columnsWithAlias"
        | "compress"
        | "connectionAttributes"
        | "interpolateParams"
        | "loc"
        | "maxAllowedPacket"
        | "multiStatements"
        | "parseTime"
        | "readTimeout"
        | "rejectReadOnly"
        | "serverPubKey"
        | "timeTruncate"
        | "timeout"
        | "writeTimeout" => {}
        name => {
            if !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            {
                return Err(
                    "a parameter of the connection string has no name that a variable could have".to_owned(),
                );
            }
            server.variables.push((name.to_owned(), value));
        }
    }
    Ok(())
}

/// The driver's spellings of a flag.
fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "TRUE" | "True" => Some(true),
        "0" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Server {
        match Target::parse(text) {
            Target::Database(server) => *server,
            Target::Unusable(reason) => panic!("{text}: {reason}"),
        }
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        match Target::parse(text) {
            Target::Unusable(reason) => assert_eq!(reason, because, "{text}"),
            Target::Database(server) => panic!("{text}: {server:?}"),
        }
    }

    #[test]
    fn every_part_is_found() {
        let server = read(
            "reader:p@ss/w:rd@tcp(mysql.example.svc:3307)/stock?tls=skip-verify&time_zone=%27%2B00%3A00%27",
        );
        let host = "mysql.example.svc".to_owned();
        assert_eq!(server.address, Address::Tcp { host, port: 3307 });
        assert_eq!(
            (server.user.as_str(), server.password.expose().as_str()),
            ("reader", "p@ss/w:rd")
        );
        assert_eq!((server.database.as_str(), server.tls), ("stock", Tls::Unverified));
        assert_eq!(
            server.variables,
            [("time_zone".to_owned(), "'+00:00'".to_owned())]
        );
        assert_eq!(read("/a%2Fb").database, "a/b");
    }

    #[test]
    fn addresses_have_the_drivers_defaults() {
        let at = |text: &str| Target::parse(text).endpoint();
        assert_eq!(at("/"), "127.0.0.1:3306/");
        assert_eq!(at("u@/d"), "127.0.0.1:3306/d");
        assert_eq!(at("u@tcp/d"), "127.0.0.1:3306/d");
        assert_eq!(at("u@tcp(h)/d"), "h:3306/d");
        assert_eq!(at("u@(h:1)/d"), "h:1/d");
        assert_eq!(at("u@tcp([::1]:2)/d"), "[::1]:2/d");
        assert_eq!(at("u@tcp([::1])/d"), "[::1]:3306/d");
        assert_eq!(at("u@unix/d"), "/tmp/mysql.sock/d");
        assert_eq!(at("u@unix(/run/my.sock)/d"), "/run/my.sock/d");
    }

    #[test]
    fn tls_is_one_of_the_drivers_words() {
        for (text, tls) in [
            ("true", Tls::Verified),
            ("false", Tls::Off),
            ("skip-verify", Tls::Unverified),
            ("preferred", Tls::Preferred),
        ] {
            assert_eq!(read(&format!("/d?tls={text}")).tls, tls);
        }
        assert_eq!(
            read("/d?tls=true&allowFallbackToPlaintext=true").tls,
            Tls::Preferred
        );
        refused(
            "/d?tls=custom",
            "`tls` must be `true`, `false`, `skip-verify` or `preferred`",
        );
    }

    #[test]
    fn mistakes_are_named_without_what_was_written() {
        refused(
            "acorn",
            "the connection string lacks the slash before the database",
        );
        refused("u:p@tcp(h:many)/d", "the port must be a number from 1 to 65535");
        refused(
            "u:p@tcp(h:1/d",
            "the address in the connection string must stand in brackets, as in `tcp(host:3306)`",
        );
        refused(
            "u:p@host:3306/d",
            "the connection string must name its address as `tcp(host:port)` or `unix(/path)`",
        );
        refused("u:p@/d?x", "a parameter of the connection string lacks its value");
        refused("u:p@/d?x=%zz", "the connection string has a broken `%` escape");
    }

    #[test]
    fn single_settings_are_taken_as_they_are() {
        let single = Single {
            host: Some("::1"),
            user: Some("reader"),
            password: Some("p@(/?"),
            database: Some("shop"),
            port: None,
        };
        let target = Target::single(&single);
        assert_eq!(target.endpoint(), "[::1]:3306/shop");
        let Target::Database(server) = target else {
            panic!("a server")
        };
        assert_eq!(server.password.expose(), "p@(/?");
        assert_eq!(
            Target::single(&Single::default()),
            Target::Unusable("neither `host` nor `connectionString` names a server".to_owned())
        );
    }

    #[test]
    fn passwords_are_not_printed() {
        let target = Target::parse("reader:hush-hush@tcp(h:1)/d");
        assert!(!format!("{target:?} {}", target.endpoint()).contains("hush-hush"));
    }
}
