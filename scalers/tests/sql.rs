//! What the SQL scalers make of servers that answer wrongly, in part, or not at all.

use std::time::Duration;

use engine::metric::MetricName;
use jiff::Timestamp;
use scalers::{Connect, Pool, ScalerError, TriggerInput};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a server sends: each part after it has heard something.
type Script = Vec<Vec<u8>>;

/// A server that plays a script to every client. It then closes the connection, or keeps it and says nothing.
async fn serve(script: Script, first_speaks: bool, silent_at_the_end: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let script = script.clone();
            tokio::spawn(async move {
                let mut heard = [0; 4096];
                for (index, part) in script.iter().enumerate() {
                    if (index > 0 || !first_speaks) && !matches!(stream.read(&mut heard).await, Ok(1..)) {
                        return;
                    }
                    if stream.write_all(part).await.is_err() {
                        return;
                    }
                }
                if silent_at_the_end {
                    // Until the client gives up.
                    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
                }
            });
        }
    });
    port
}

fn trigger(type_: &str, port: u16) -> TriggerInput {
    let mut input = TriggerInput {
        type_: type_.to_owned(),
        ..TriggerInput::default()
    };
    let port = port.to_string();
    let settings = [
        ("host", "127.0.0.1"),
        ("port", &port),
        ("userName", "reader"),
        ("username", "reader"),
        ("dbName", "shop"),
        ("sslmode", "disable"),
        ("query", "SELECT 7"),
        ("targetQueryValue", "1"),
        ("queryValue", "1"),
    ];
    for (key, value) in settings {
        input.metadata.insert(key.to_owned(), value.to_owned());
    }
    input.auth.insert("password", "hush-hush");
    input
}

async fn ask(type_: &str, port: u16, timeout: Duration) -> Result<f64, ScalerError> {
    let pool = Pool::new(Connect {
        timeout,
        ..Connect::default()
    });
    let built = scalers::read(&trigger(type_, port)).expect("a right trigger");
    let name = if type_ == "mysql" {
        "s0-mysql-shop"
    } else {
        "s0-postgresql"
    };
    let metric = MetricName::indexed(0, &name[3..]);
    let samples = pool.ask(&built, &metric, Timestamp::UNIX_EPOCH).await?;
    Ok(samples[0].value)
}

/// Long beside what a dialogue takes; only a server that says nothing is waited for to the end.
const PATIENT: Duration = Duration::from_mins(1);

async fn play(type_: &str, script: Script) -> Result<f64, ScalerError> {
    let port = serve(script, type_ == "mysql", false).await;
    ask(type_, port, PATIENT).await
}

/// The same with the failure as text.
async fn played(type_: &str, script: Script) -> Result<f64, String> {
    play(type_, script).await.map_err(|error| error.chain())
}

/// A script up to so many bytes.
fn cut(script: &Script, mut length: usize) -> Script {
    let mut short = Script::new();
    for part in script {
        short.push(part[..part.len().min(length)].to_vec());
        length = length.saturating_sub(part.len());
        if length == 0 {
            break;
        }
    }
    short
}

async fn ends_everywhere_in_an_error(type_: &str, script: &Script) {
    assert_eq!(played(type_, script.clone()).await, Ok(7.0));
    let whole: usize = script.iter().map(Vec::len).sum();
    let lengths: Vec<usize> = (0..whole).collect();
    for some in lengths.chunks(32) {
        let played = some.iter().map(|length| play(type_, cut(script, *length)));
        for (length, result) in some.iter().zip(futures::future::join_all(played).await) {
            let error = result.expect_err("cut").chain();
            assert!(error.contains("127.0.0.1:"), "{length}: {error}");
            assert!(!error.contains("hush-hush"), "{length}: {error}");
        }
    }
}

/// A message of PostgreSQL's protocol.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend_from_slice(&(u32::try_from(body.len()).expect("short") + 4).to_be_bytes());
    message.extend_from_slice(body);
    message
}

const READY: &[u8] = b"I";

fn postgresql_login() -> Vec<u8> {
    [
        message(b'R', &[0, 0, 0, 0]),
        message(b'S', b"server_version\x0015.18\0"),
        message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]),
        message(b'Z', READY),
    ]
    .concat()
}

/// The answer to the three statements that a question is.
fn postgresql_answer(rows: &[u8]) -> Vec<u8> {
    [
        message(b'C', b"BEGIN\0"),
        message(b'C', b"SET\0"),
        message(b'Z', b"T"),
        rows.to_vec(),
        message(b'Z', b"T"),
        message(b'C', b"COMMIT\0"),
        message(b'Z', READY),
    ]
    .concat()
}

fn column(name: &[u8]) -> Vec<u8> {
    [name, &[0; 7], &[0, 0, 0, 23, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]].concat()
}

fn seven() -> Vec<u8> {
    [
        message(b'T', &[&[0, 1], column(b"n").as_slice()].concat()),
        message(b'D', b"\0\x01\0\0\0\x017"),
        message(b'C', b"SELECT 1\0"),
    ]
    .concat()
}

#[tokio::test]
async fn postgresql_cut_anywhere_is_an_error() {
    let script = vec![postgresql_login(), postgresql_answer(&seven())];
    ends_everywhere_in_an_error("postgresql", &script).await;
}

#[tokio::test]
async fn postgresql_nonsense_is_an_error() {
    let login = postgresql_login();
    let asked = |rows: &[u8]| vec![login.clone(), postgresql_answer(rows)];
    let two_columns = message(b'T', &[&[0, 2], column(b"a").as_slice(), &column(b"b")].concat());
    let scripts = [
        vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
        vec![vec![0; 64]],
        vec![vec![0xff; 64]],
        vec![message(b'R', &[0, 0, 0, 99])],
        vec![message(b'R', &[0, 0, 0, 10])],
        vec![message(b'E', b"")],
        vec![message(
            b'E',
            b"SFATAL\0C28P01\0Mthe password hush-hush is wrong\0\0",
        )],
        // A row without its description, a row of another width, values longer than their row, text that is no UTF-8.
        asked(&message(b'D', b"\0\x01\0\0\0\x017")),
        asked(&[two_columns, message(b'D', b"\0\x01\0\0\0\x017")].concat()),
        asked(
            &[
                message(b'T', &[&[0, 1], column(b"n").as_slice()].concat()),
                message(b'D', b"\0\x01\x7f\xff\xff\xff7"),
            ]
            .concat(),
        ),
        asked(
            &[
                message(b'T', &[&[0, 1], column(b"n").as_slice()].concat()),
                message(b'D', b"\0\x01\0\0\0\x01\xff"),
            ]
            .concat(),
        ),
        asked(&message(b'G', b"\0\0\0")),
        asked(&message(b'T', b"\xff\xff")),
        asked(&[b'D', 0x7f, 0xff, 0xff, 0xff]),
        asked(&[b'D', 0, 0, 0, 0]),
    ];
    for (index, script) in scripts.into_iter().enumerate() {
        let error = play("postgresql", script).await.expect_err("nonsense").chain();
        assert!(error.contains("127.0.0.1:"), "{index}: {error}");
        assert!(!error.contains("hush-hush"), "{index}: {error}");
    }
}

/// Servers that only speak the protocol may know no `SET LOCAL`.
#[tokio::test]
async fn postgresql_without_a_limit_of_its_own_is_asked_all_the_same() {
    let refused = |code: &[u8]| message(b'E', &[b"SERROR\0C".as_slice(), code, b"\0Mno\0\0"].concat());
    let first = [
        message(b'C', b"BEGIN\0"),
        refused(b"42704"),
        message(b'Z', b"E"),
        refused(b"25P02"),
        message(b'Z', b"E"),
        message(b'C', b"ROLLBACK\0"),
        message(b'Z', READY),
    ];
    let second = [seven(), message(b'Z', READY)];
    let script = vec![postgresql_login(), first.concat(), second.concat()];
    assert_eq!(played("postgresql", script).await, Ok(7.0));
}

/// A packet of MySQL's protocol.
fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = u32::try_from(body.len()).expect("short").to_le_bytes()[..3].to_vec();
    packet.push(sequence);
    packet.extend_from_slice(body);
    packet
}

const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const EOF: &[u8] = &[0xfe, 0, 0, 2, 0];

fn greeting(plugin: &[u8]) -> Vec<u8> {
    let body = [
        b"\x0a8.0.40\0\x07\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\xdf\x15".as_slice(),
        &[0; 10],
        b"ijklmnopqrst\0",
        plugin,
        b"\0",
    ];
    packet(0, &body.concat())
}

/// A login, the server's own limit, and the answer to the query.
fn mysql(answer: Vec<u8>) -> Script {
    vec![
        greeting(b"mysql_native_password"),
        packet(2, OK),
        packet(1, OK),
        answer,
    ]
}

#[tokio::test]
async fn mysql_cut_anywhere_is_an_error() {
    let answer = [
        packet(1, &[1]),
        packet(2, b"\x03def\0\0\0\x01n\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0"),
        packet(3, EOF),
        packet(4, b"\x017"),
        packet(5, EOF),
    ];
    ends_everywhere_in_an_error("mysql", &mysql(answer.concat())).await;
}

#[tokio::test]
async fn mysql_nonsense_is_an_error() {
    let sha2 = |rest: &[Vec<u8>]| [vec![greeting(b"caching_sha2_password")], rest.to_vec()].concat();
    let switch = |body: &[u8]| vec![greeting(b"mysql_native_password"), packet(2, body)];
    let scripts = [
        vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
        vec![vec![0; 64]],
        vec![vec![0xff; 64]],
        vec![packet(0, &[])],
        vec![packet(0, &[0xff])],
        vec![packet(0, b"\xff\x10\x04Too many connections")],
        vec![
            greeting(b"mysql_native_password"),
            packet(2, b"\xff\x15\x04#28000the password hush-hush is wrong"),
        ],
        vec![greeting(b"mysql_native_password"), packet(2, &[])],
        vec![greeting(b"mysql_native_password"), packet(7, OK)],
        // Logins that are not known, that would show the password, that want no nonce, or that never end.
        switch(b"\xfe"),
        switch(b"\xfeclient_ed25519\0abc"),
        switch(b"\xfemysql_clear_password\0"),
        switch(b"\xfemysql_old_password\0"),
        vec![
            greeting(b"mysql_native_password"),
            packet(2, b"\xfecaching_sha2_password\0"),
            packet(4, b"\x01\x04"),
            packet(6, b"\x01x"),
        ],
        // Keys that are none, are empty, or hold only zeros.
        sha2(&[packet(2, b"\x01\x04"), packet(4, &[])]),
        sha2(&[packet(2, b"\x01\x04"), packet(4, b"\x01")]),
        sha2(&[
            packet(2, b"\x01\x04"),
            packet(
                4,
                b"\x01-----BEGIN PUBLIC KEY-----\nMA0wAAMJADAGAgEAAgEA\n-----END PUBLIC KEY-----\n",
            ),
        ]),
        // Results of no width, of a width beyond reason, with columns or values that are not there; a request for a file.
        mysql(packet(1, &[])),
        mysql(packet(1, &[0xfc, 0xff, 0xff])),
        mysql(packet(1, b"\xfb/etc/passwd")),
        mysql([packet(1, &[1]), packet(2, EOF), packet(3, b"\x017")].concat()),
        mysql(
            [
                packet(1, &[1]),
                packet(2, b"c"),
                packet(3, EOF),
                packet(4, b"\xfd\xff\xff\xff7"),
            ]
            .concat(),
        ),
        mysql([packet(1, &[1]), packet(2, b"c"), packet(3, EOF), packet(4, &[])].concat()),
        mysql(
            [
                packet(1, &[1]),
                packet(2, b"c"),
                packet(3, EOF),
                vec![0xff, 0xff, 0xff, 4],
            ]
            .concat(),
        ),
    ];
    for (index, script) in scripts.into_iter().enumerate() {
        let error = play("mysql", script).await.expect_err("nonsense").chain();
        assert!(error.contains("127.0.0.1:"), "{index}: {error}");
        assert!(!error.contains("hush-hush"), "{index}: {error}");
    }
}

/// A key made for the tests of the login.
const KEY: &[u8] = b"\x01-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC3m3dpYrmYUJrEnFJlVyiS6tLP
re20JRh8+wMAnh/W8gIv+PnwAI3FWAXHK+LDuwdGCz8oBV5PGwiRRJ6vYOxuMXv6
wWWz+dn0ZjvERta/yoNYWDhWHu33QykJM0fDqIHMRyZO9eSs1NKUSBYh9rvvDgKo
lf6QH/xh/tzQLPHMvQIDAQAB
-----END PUBLIC KEY-----
";

#[tokio::test]
async fn mysql_logins_come_to_their_end() {
    let answer = [
        packet(1, &[1]),
        packet(2, b"c"),
        packet(3, EOF),
        packet(4, b"\x017"),
        packet(5, EOF),
    ]
    .concat();
    let rest = [packet(1, OK), answer];
    let sha2 = greeting(b"caching_sha2_password");
    let native = greeting(b"mysql_native_password");
    let logins = [
        vec![sha2.clone(), packet(2, OK)],
        // The server has seen the password before.
        vec![sha2.clone(), [packet(2, b"\x01\x03"), packet(3, OK)].concat()],
        // It has not: the password goes out under its key.
        vec![
            sha2.clone(),
            packet(2, b"\x01\x04"),
            packet(4, KEY),
            packet(6, OK),
        ],
        vec![
            sha2,
            packet(2, b"\xfemysql_native_password\0zyxwvutsrqponmlkjihg\0"),
            packet(4, OK),
        ],
        vec![
            native.clone(),
            packet(2, b"\xfesha256_password\0zyxwvutsrqponmlkjihg\0"),
            packet(4, KEY),
            packet(6, OK),
        ],
        vec![
            native,
            packet(2, b"\xfecaching_sha2_password\0zyxwvutsrqponmlkjihg\0"),
            packet(4, b"\x01\x04"),
            packet(6, KEY),
            packet(8, OK),
        ],
        // It prefers what is not known here.
        vec![greeting(b"auth_gssapi_client"), packet(2, OK)],
    ];
    for (index, login) in logins.into_iter().enumerate() {
        let value = played("mysql", [login, rest.to_vec()].concat()).await;
        assert_eq!(value, Ok(7.0), "{index}");
    }
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let postgresql = [vec![], vec![postgresql_login()]];
    let mysql = [vec![], mysql(Vec::new())];
    for (type_, script) in postgresql
        .into_iter()
        .map(|script| ("postgresql", script))
        .chain(mysql.into_iter().map(|script| ("mysql", script)))
    {
        let port = serve(script, type_ == "mysql", true).await;
        let error = ask(type_, port, Duration::from_millis(200))
            .await
            .expect_err("silence");
        assert!(matches!(error, ScalerError::TimedOut { .. }), "{error}");
    }
}
