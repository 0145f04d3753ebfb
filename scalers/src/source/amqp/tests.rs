//! Brokers that are none: what they send is an error in time, and never a secret.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::TriggerInput;
use crate::observer::Asker;
use crate::pool::Pool;

const PASSWORD: &str = "hush-hush";
/// A bound for a test that hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// `Connection.Start` with the mechanism `PLAIN`.
fn start() -> Vec<u8> {
    let mut method = vec![0, 10, 0, 10, 0, 9, 0, 0, 0, 0];
    method.extend([0, 0, 0, 5]);
    method.extend(b"PLAIN");
    method.extend([0, 0, 0, 5]);
    method.extend(b"en_US");
    frame(&method)
}

/// `Connection.Close`.
fn close(code: u16, text: &str) -> Vec<u8> {
    let mut method = vec![0, 10, 0, 50];
    method.extend(code.to_be_bytes());
    method.push(text.len() as u8);
    method.extend(text.as_bytes());
    method.extend([0, 0, 0, 0]);
    frame(&method)
}

fn frame(method: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0];
    bytes.extend((method.len() as u32).to_be_bytes());
    bytes.extend(method);
    bytes.push(0xCE);
    bytes
}

async fn listen() -> (TcpListener, Broker) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let broker = Broker {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().expect("an address").port(),
        vhost: "/".to_owned(),
        login: Login::Plain {
            username: "user".to_owned(),
            password: PASSWORD.into(),
        },
        tls: None,
    };
    (listener, broker)
}

/// Sends each text after the client sent something, and closes.
async fn says(texts: Vec<Vec<u8>>) -> (Broker, JoinHandle<()>) {
    let (listener, broker) = listen().await;
    let server = tokio::runtime::Handle::current().spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut read = [0; 4096];
        for text in texts {
            // The client may have left already.
            let _ = stream.read(&mut read).await;
            let _ = stream.write_all(&text).await;
        }
    });
    (broker, server)
}

async fn refusal(texts: Vec<Vec<u8>>) -> ScalerError {
    let (broker, server) = says(texts).await;
    let asker = Asker::new(&TriggerInput::default(), "rabbitmq");
    // lapin does not notice every end; the pool does.
    let way = Pool::new(Connect::default()).opener::<Amqp>(&broker, &asker);
    let opened = tokio::time::timeout(DEADLINE, way.source()).await;
    let Err(error) = opened.expect("an end") else {
        panic!("that was no broker")
    };
    server.await.expect("the server ends");
    let text = error.chain();
    assert!(text.contains(&broker.port.to_string()), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    error
}

#[tokio::test]
async fn another_protocol_is_named() {
    let error = refusal(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]).await;
    assert!(
        error.chain().ends_with("it does not speak AMQP 0-9-1"),
        "{}",
        error.chain()
    );
    assert!(error.is_connection_lost());
}

#[tokio::test]
async fn a_frame_that_never_ends_is_refused() {
    let large = vec![1, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3];
    let error = refusal(vec![large]).await;
    assert!(
        error.chain().ends_with("it sent a frame that is too large"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn tables_in_tables_without_end_are_refused() {
    // `Connection.Start` with properties that hold a table that holds a table.
    let mut table = vec![0, 0, 0, 0];
    while table.len() < 8_100 {
        let mut outer = (table.len() as u32 + 2).to_be_bytes().to_vec();
        outer.extend([0, b'F']);
        outer.append(&mut table);
        table = outer;
    }
    let method = [&[0, 10, 0, 10, 0, 9], table.as_slice()].concat();
    let error = refusal(vec![frame(&method)]).await;
    assert!(
        error.chain().ends_with("it sent tables in tables without end"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn a_broker_that_leaves_is_an_error_at_every_step() {
    let start = start();
    for texts in [
        vec![Vec::new()],
        vec![start[..9].to_vec()],
        vec![start.clone(), Vec::new()],
    ] {
        assert!(refusal(texts).await.is_connection_lost());
    }
}

#[tokio::test]
async fn a_refusal_that_quotes_the_password_is_not_passed_on() {
    let said = close(403, &format!("ACCESS_REFUSED - {PASSWORD} is wrong"));
    let error = refusal(vec![start(), said]).await;
    assert!(matches!(error, ScalerError::Unauthorized { .. }), "{error:?}");
    assert!(error.chain().contains("[redacted]"), "{}", error.chain());
}

/// Whoever gives up waiting takes the connection along: it neither stays open nor keeps its thread.
#[tokio::test]
async fn a_silent_broker_is_left() {
    let (listener, broker) = listen().await;
    let connect = Connect::default();
    let opening = tokio::runtime::Handle::current()
        .spawn(async move { Amqp::open(&broker, &connect).await.map(|_| ()) });
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.expect("a header");
    assert_eq!(&header, b"AMQP\x00\x00\x09\x01");
    opening.abort();
    let mut rest = Vec::new();
    let left = tokio::time::timeout(DEADLINE, read_on(&mut stream, &mut rest)).await;
    left.expect("the client leaves");
}

async fn read_on(stream: &mut TcpStream, rest: &mut Vec<u8>) {
    // It ends well or broken; both mean that the client has left.
    let _ = stream.read_to_end(rest).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_bytes_stall_or_panic(
        first in prop::collection::vec(any::<u8>(), 0..64),
        started in any::<bool>(),
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let first = if started { start() } else { first };
        // All at once, and then the end: a broker that waits for more is a silent one, which the deadline of a read ends.
        runtime.block_on(refusal(vec![[first, frame(&rest), rest].concat()]));
    }
}
