use proptest::prelude::*;
use tokio::io::DuplexStream;

use super::*;

#[track_caller]
fn check(line: &str, want: &Line) {
    assert_eq!(Line::parse(line).ok().as_ref(), Some(want), "{line}");
}

#[test]
fn lines_are_read() {
    check("PING", &Line::Ping);
    check("pong", &Line::Pong);
    check("+OK", &Line::Other);
    check("INFO {}", &Line::Other);
    check("-ERR 'no such thing'", &Line::Refused("no such thing".to_owned()));
    check("-ERR", &Line::Refused(String::new()));
    check("MSG orders.new 7 11", &Line::Message(7, 13));
    check("MSG orders.new 7 reply 0", &Line::Message(7, 2));
    check("HMSG orders.new 7 12 30", &Line::Message(7, 32));
    check("HMSG orders.new 7 reply 12 30", &Line::Message(7, 32));
}

#[test]
fn what_is_no_line_is_refused() {
    for line in [
        "",
        "HTTP/1.1 400 Bad Request",
        "MSG",
        "MSG a 1",
        "MSG a b 1",
        "MSG a 1 -1",
        "MSG a 1 18446744073709551615",
        "MSG a 1 r 2 3 4",
    ] {
        assert!(Line::parse(line).is_err(), "{line}");
    }
}

/// A client, and what the server holds of the connection.
fn started() -> (Client, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let stream: Box<dyn Stream> = Box::new(ours);
    (Client::start(Lines::new(stream), str::to_owned), theirs)
}

async fn said(server: &mut DuplexStream, length: usize) -> String {
    let mut text = vec![0; length];
    server.read_exact(&mut text).await.expect("as much as that");
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn one_message_of_any_subject_is_heard_whatever_it_holds() {
    let (client, mut server) = started();
    let mut both = client.subscribe(&["a".to_owned(), "b".to_owned()]);
    let sent = "SUB a 1\r\nUNSUB 1 1\r\nSUB b 2\r\nUNSUB 2 1\r\n";
    assert_eq!(said(&mut server, sent.len()).await, sent);
    let message = b"MSG a 1 9\r\nMSG b 2 1\r\n-ERR 'no'\r\n";
    server.write_all(message).await.expect("room");
    assert!(both.heard().await);
    drop(both);
    let sent = "UNSUB 2\r\n";
    assert_eq!(said(&mut server, sent.len()).await, sent);
    let mut refused = client.refused.clone();
    refused.changed().await.expect("it is open");
    assert_eq!(refused.borrow().as_deref(), Some("no"));
}

#[tokio::test]
async fn the_end_of_the_connection_is_told_to_all_who_wait() {
    let (client, server) = started();
    let mut subscriptions = client.subscribe(&["a".to_owned()]);
    let (there, heard, ()) = tokio::join!(client.flush(), subscriptions.heard(), async { drop(server) });
    assert!(!there && !heard);
    assert!(!client.flush().await);
    assert!(!client.subscribe(&["b".to_owned()]).heard().await);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_without_a_word_is_given_up() {
    let (client, mut server) = started();
    let mut subscriptions = client.subscribe(&["a".to_owned()]);
    let begin = tokio::time::Instant::now();
    assert!(!subscriptions.heard().await);
    assert_eq!(begin.elapsed(), 2 * QUIET);
    let sent = "SUB a 1\r\nUNSUB 1 1\r\nPING\r\n";
    assert_eq!(said(&mut server, sent.len()).await, sent);
    assert!(!client.flush().await);
}

#[tokio::test]
async fn a_server_that_only_asks_is_left() {
    let (client, mut server) = started();
    // It never reads: what fits into the stream is written, and then nothing more.
    let ends = async {
        loop {
            if server.write_all(b"PING\r\n").await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), ends)
        .await
        .expect("it is left");
    assert!(!client.flush().await);
}

#[tokio::test]
async fn a_line_without_an_end_is_refused() {
    let endless: &[u8] = &vec![b'x'; 2 * LONGEST];
    let error = Lines::new(endless).next().await.expect_err("too long");
    assert_eq!(error.to_string(), "it sent a line that is too long");
}

proptest! {
    /// Nothing that a server sends is a panic, and what a message holds is no line.
    #[test]
    fn any_bytes_are_read_or_refused(
        body in prop::collection::vec(any::<u8>(), 0..200),
        rest in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut stream = format!("MSG a 1 {}\r\n", body.len()).into_bytes();
            stream.extend(&body);
            stream.extend(b"\r\nPONG\r\n");
            stream.extend(&rest);
            let mut lines = Lines::new(&stream[..]);
            let first = Line::parse(&lines.next().await.expect("a line")).expect("a message");
            assert_eq!(first, Line::Message(1, body.len() + 2));
            lines.passed = body.len() + 2;
            assert_eq!(lines.next().await.expect("a line"), "PONG");
            while let Ok(line) = lines.next().await {
                let _ = Line::parse(&line);
            }
        });
    }
}
