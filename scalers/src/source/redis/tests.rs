use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn server(address: &str) -> Server {
    Server {
        topology: Topology::Single,
        addresses: vec![address.to_owned()],
        login: Login::default(),
        database: 0,
        tls: None,
    }
}

/// Reads on until every word has come.
async fn read_until(stream: &mut TcpStream, words: &[&str]) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4096];
    while !words.iter().all(|word| text.contains(word)) {
        let length = stream.read(&mut chunk).await.expect("more bytes");
        assert!(length > 0, "the client hung up after {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    text
}

/// A server that answers nothing before it has all questions: a client that waits for one answer before it puts the next
/// question would wait for ever.
#[tokio::test]
async fn questions_of_a_batch_travel_together() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let peer = async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut greeted = false;
        while !greeted {
            let text = read_until(&mut stream, &["\r\n"]).await;
            let commands = text.lines().filter(|line| line.starts_with('*')).count();
            greeted = text.contains("PING");
            let replies = "+OK\r\n".repeat(commands);
            stream.write_all(replies.as_bytes()).await.expect("a client");
        }
        read_until(&mut stream, &["EVAL", "XPENDING", "XINFO", "server", "other"]).await;
        let info = "$22\r\nredis_version:7.0.15\r\n\r\n";
        let replies = format!(":3\r\n*4\r\n:4\r\n$-1\r\n$-1\r\n*-1\r\n*0\r\n:5\r\n{info}-ERR no\r\n");
        stream.write_all(replies.as_bytes()).await.expect("a client");
        stream
    };
    let (stream, group) = ("orders".to_owned(), "billing".to_owned());
    let questions = [
        Question::Length("jobs".to_owned()),
        Question::Pending {
            stream: stream.clone(),
            group: group.clone(),
        },
        Question::Lag { stream, group },
        Question::Entries("other".to_owned()),
    ];
    let client = async {
        let redis = Redis::open(&server(&address), &Connect::default())
            .await
            .expect("a connection");
        assert_eq!(redis.ask(&[]).await.len(), 0);
        redis.ask(&questions).await
    };
    let both = async { tokio::join!(client, peer) };
    let (answers, _peer) = tokio::time::timeout(Duration::from_mins(1), Box::pin(both))
        .await
        .expect("all answers");
    let lengths: Vec<Option<Answer>> = answers.iter().map(|answer| answer.clone().ok()).collect();
    let length = |length| Some(Answer::Length(length));
    assert_eq!(lengths, [length(3), length(4), length(5), None]);
    // One that failed does not fail the others.
    let error = answers[3].as_ref().expect_err("refused").to_string();
    assert!(error.contains("no"), "{error}");
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_an_error() {
    for hello in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\u{0}\u{1}",
        "*99999999\r\n",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let peer = async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            read_until(&mut stream, &["\r\n"]).await;
            stream.write_all(hello.as_bytes()).await.expect("a client");
        };
        let key = server(&address);
        let connect = Connect::default();
        let (opened, ()) = tokio::join!(Redis::open(&key, &connect), peer);
        let error = opened.map(drop).expect_err(hello);
        assert!(error.chain().contains(&address), "{}", error.chain());
    }
}
