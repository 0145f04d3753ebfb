//! One connection to a NATS server, for subscriptions alone.
//!
//! ```text
//! subscribe, flush ──lines──▶ queue ──▶ driver ─▶ socket
//!   ◀──heard, answered────────────────────┘  ◀─────┘
//! ```
//! It is a small client of our own: the crate for it panics on lines that no honest server sends, and one tenant's
//! server must not be able to end the process. What a message holds is passed over, and never kept.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// The longest line that is read. Servers refuse lines of more than 4 KiB; their own greeting names every other server.
const LONGEST: usize = 64 << 10;
/// How much room is made for the next bytes.
const CHUNK: usize = 4 << 10;
/// Lines before the login is answered, at most.
const TURNS: usize = 16;
/// How long a server may say nothing before it is asked whether it is there, and again before it is given up.
const QUIET: Duration = Duration::from_mins(1);
/// Answers to pings that wait to be written, at most.
const OWED: usize = 64;

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How a connection did not come about.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::Error),
    /// The server said so.
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a server says of itself at first.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Info {
    pub(super) tls_required: bool,
}

/// What a server says later.
#[derive(Debug, PartialEq)]
enum Line {
    Ping,
    Pong,
    Refused(String),
    /// A message for a subscription, and how many bytes of it follow.
    Message(u64, usize),
    /// Nothing that matters here.
    Other,
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn no_nats() -> io::Error {
    wrong("it does not speak NATS")
}

impl Line {
    fn parse(line: &str) -> io::Result<Self> {
        let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "PING" => Ok(Self::Ping),
            "PONG" => Ok(Self::Pong),
            "+OK" | "INFO" => Ok(Self::Other),
            "-ERR" => Ok(Self::Refused(rest.trim().trim_matches('\'').to_owned())),
            // Subject, subscription, maybe where to reply, maybe the size of the headers, the size of all.
            "MSG" | "HMSG" => {
                let words: Vec<&str> = rest.split_ascii_whitespace().take(6).collect();
                let (Some(subscription), Some(size), 3..=5) = (words.get(1), words.last(), words.len())
                else {
                    return Err(no_nats());
                };
                let subscription = subscription.parse().map_err(|_| no_nats())?;
                // A line ends behind the message, too.
                let size = size.parse::<usize>().ok().and_then(|size| size.checked_add(2));
                Ok(Self::Message(subscription, size.ok_or_else(no_nats)?))
            }
            _ => Err(no_nats()),
        }
    }
}

/// Cuts a stream into lines. Waiting for the next line may be given up and taken up again.
pub(super) struct Lines<S> {
    stream: S,
    buffer: BytesMut,
    /// Bytes of a message that are still to come.
    passed: usize,
}

impl<S: AsyncRead + Unpin> Lines<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            passed: 0,
        }
    }

    async fn next(&mut self) -> io::Result<String> {
        loop {
            let passed = self.passed.min(self.buffer.len());
            self.buffer.advance(passed);
            self.passed -= passed;
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                let line = std::str::from_utf8(&line).map_err(|_| no_nats())?;
                return Ok(line.trim_end().to_owned());
            }
            if self.buffer.len() > LONGEST {
                return Err(wrong("it sent a line that is too long"));
            }
            self.buffer.reserve(CHUNK);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                let text = "the server closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
    }

    /// Reads what a server says of itself, and gives the stream back, as TLS may begin there.
    pub(super) async fn greeting(mut self) -> io::Result<(Info, S)> {
        let line = self.next().await?;
        let info = line.strip_prefix("INFO ").ok_or_else(no_nats)?;
        let info = serde_json::from_str(info).map_err(|_| no_nats())?;
        if self.buffer.is_empty() {
            Ok((info, self.stream))
        } else {
            Err(wrong("it said more than its greeting"))
        }
    }
}

impl Lines<Box<dyn Stream>> {
    /// Sends what a client says of itself, and waits for the server to agree.
    pub(super) async fn log_in(&mut self, connect: &serde_json::Value) -> Result<(), Failure> {
        let hello = format!("CONNECT {connect}\r\nPING\r\n");
        self.say(&hello).await?;
        for _ in 0..TURNS {
            match Line::parse(&self.next().await?)? {
                Line::Pong => return Ok(()),
                Line::Ping => self.say("PONG\r\n").await?,
                Line::Refused(text) => return Err(Failure::Refused(text)),
                Line::Other => {}
                Line::Message(..) => return Err(no_nats().into()),
            }
        }
        Err(no_nats().into())
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }
}

/// An open connection. Dropping it closes the socket.
pub(super) struct Client {
    state: Arc<Mutex<State>>,
    /// What the server refused last.
    pub(super) refused: watch::Receiver<Option<String>>,
    _driver: JoinSet<()>,
}

struct State {
    queue: mpsc::UnboundedSender<String>,
    closed: bool,
    /// Answers to pings that the server is owed.
    owed: usize,
    /// Who waits for an answer to a ping, in the order they were sent.
    pongs: VecDeque<oneshot::Sender<()>>,
    /// Who is told of the one message of a subscription.
    heard: HashMap<u64, Arc<watch::Sender<()>>>,
    last: u64,
}

const PONG: &str = "PONG\r\n";

impl State {
    fn send(&self, lines: String) {
        // If nobody writes them, the connection has ended, which those who wait are told.
        let _ = self.queue.send(lines);
    }

    /// Asks whether the server is there.
    fn ping(&mut self) -> oneshot::Receiver<()> {
        let (sender, answered) = oneshot::channel();
        if !self.closed {
            self.pongs.push_back(sender);
            self.send("PING\r\n".to_owned());
        }
        answered
    }

    fn close(&mut self) {
        self.closed = true;
        self.pongs.clear();
        self.heard.clear();
    }
}

impl Client {
    /// A connection that is logged in. `printable` takes the credentials out of what the server says.
    pub(super) fn start(
        lines: Lines<Box<dyn Stream>>,
        printable: impl Fn(&str) -> String + Send + 'static,
    ) -> Self {
        let (queue, outgoing) = mpsc::unbounded_channel();
        let (refusals, refused) = watch::channel(None);
        let state = State {
            queue,
            closed: false,
            owed: 0,
            pongs: VecDeque::new(),
            heard: HashMap::new(),
            last: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let mut driver = JoinSet::new();
        let own = Arc::clone(&state);
        driver.spawn(async move {
            let (read, write) = tokio::io::split(lines.stream);
            let lines = Lines {
                stream: read,
                buffer: lines.buffer,
                passed: lines.passed,
            };
            let refuse = move |text: &str| drop(refusals.send_replace(Some(printable(text))));
            // However it ends, those who wait are told that it did.
            let _: io::Result<()> = tokio::select! {
                end = write_all(write, outgoing, &own) => end,
                end = read_all(lines, &own, refuse) => end,
            };
            lock(&own).close();
        });
        Self {
            state,
            refused,
            _driver: driver,
        }
    }

    /// Waits until the server has taken everything that was sent; `false` if the connection ended.
    pub(super) async fn flush(&self) -> bool {
        let answered = lock(&self.state).ping();
        answered.await.is_ok()
    }

    /// Listens for one message on any of several subjects. The server may refuse that later.
    pub(super) fn subscribe(&self, subjects: &[String]) -> Subscriptions {
        let (sender, heard) = watch::channel(());
        let sender = Arc::new(sender);
        let mut state = lock(&self.state);
        let mut numbers = Vec::with_capacity(subjects.len());
        if !state.closed {
            for subject in subjects {
                state.last += 1;
                let number = state.last;
                state.heard.insert(number, Arc::clone(&sender));
                state.send(format!("SUB {subject} {number}\r\nUNSUB {number} 1\r\n"));
                numbers.push(number);
            }
        }
        drop(state);
        Subscriptions {
            state: Arc::downgrade(&self.state),
            numbers,
            heard,
        }
    }
}

/// Subscriptions that end with the first message of each.
pub(super) struct Subscriptions {
    state: Weak<Mutex<State>>,
    numbers: Vec<u64>,
    heard: watch::Receiver<()>,
}

impl Subscriptions {
    /// Waits for a message; `false` if there will be none.
    pub(super) async fn heard(&mut self) -> bool {
        self.heard.changed().await.is_ok()
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let Some(state) = self.state.upgrade() else {
            return;
        };
        let mut state = lock(&state);
        for number in &self.numbers {
            if state.heard.remove(number).is_some() {
                state.send(format!("UNSUB {number}\r\n"));
            }
        }
    }
}

async fn write_all(
    mut stream: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    state: &Mutex<State>,
) -> io::Result<()> {
    while let Some(lines) = outgoing.recv().await {
        stream.write_all(lines.as_bytes()).await?;
        if outgoing.is_empty() {
            stream.flush().await?;
        }
        if lines == PONG {
            lock(state).owed -= 1;
        }
    }
    Ok(())
}

async fn read_all<R: AsyncRead + Unpin>(
    mut lines: Lines<R>,
    state: &Mutex<State>,
    refuse: impl Fn(&str),
) -> io::Result<()> {
    let mut asked = false;
    loop {
        let Ok(line) = tokio::time::timeout(QUIET, lines.next()).await else {
            if asked {
                return Err(io::ErrorKind::TimedOut.into());
            }
            asked = true;
            drop(lock(state).ping());
            continue;
        };
        asked = false;
        match Line::parse(&line?)? {
            Line::Other => {}
            Line::Refused(text) => refuse(&text),
            Line::Pong => {
                if let Some(waiting) = lock(state).pongs.pop_front() {
                    // Whoever asked may be gone.
                    let _ = waiting.send(());
                }
            }
            Line::Ping => {
                let mut state = lock(state);
                if state.owed >= OWED {
                    return Err(wrong("it asks faster than it takes answers"));
                }
                state.owed += 1;
                state.send(PONG.to_owned());
            }
            Line::Message(number, size) => {
                lines.passed = size;
                if let Some(heard) = lock(state).heard.remove(&number) {
                    heard.send_replace(());
                }
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic while the lock was held cannot leave these tables half-written.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
