//! When a call is tried again.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};

/// How a call is tried again. The default is that of KEDA's metrics client: 3 s in all, a first pause of 0.25 s that doubles up to 2 s.
///
/// Upstream: `pkg/metricsservice/client.go`, v2.20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Time for all attempts together.
    pub deadline: Duration,
    /// Pause after the first failure.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(3),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(2),
        }
    }
}

impl Retry {
    /// Calls until an answer comes, the error is final, or time is up; then the last error is more telling than the clock, so it is
    /// what the caller gets. `call` gets the number of the attempt, from 1.
    pub async fn run<T, F>(&self, mut call: impl FnMut(u32) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let end = Instant::now() + self.deadline;
        let mut pause = self.first_pause;
        let mut last = None;
        for attempt in 1.. {
            let error = match timeout_at(end, call(attempt)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if is_transient(&error) => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => break,
            };
            let resume = Instant::now() + pause;
            last = Some(error);
            if resume >= end {
                break;
            }
            tokio::time::sleep_until(resume).await;
            pause = (pause * 2).min(self.longest_pause);
        }
        let seconds = self.deadline.as_secs_f64();
        Err(last.unwrap_or_else(|| Status::deadline_exceeded(format!("no answer within {seconds} s"))))
    }
}

/// Whether another attempt may succeed: the server said so, or the connection broke before it said anything. A status that came over
/// the wire has no source, one that the transport made has.
pub fn is_transient(status: &Status) -> bool {
    status.code() == Code::Unavailable
        || status.source().is_some()
            && matches!(status.code(), Code::Unknown | Code::Internal | Code::Cancelled)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unavailable_is_tried_again_until_it_answers() {
        let answer = Retry::default()
            .run(|attempt| async move {
                if attempt < 3 {
                    Err(Status::unavailable("x"))
                } else {
                    Ok(attempt)
                }
            })
            .await;
        assert_eq!(answer.expect("the third attempt answers"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn final_errors_are_not_tried_again() {
        let calls = AtomicU32::new(0);
        let answer: Result<(), _> = Retry::default()
            .run(|_| {
                calls.fetch_add(1, Ordering::Relaxed);
                async { Err(Status::unknown("metric:x encountered error")) }
            })
            .await;
        assert_eq!(answer.expect_err("final").code(), Code::Unknown);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_the_last_error_when_time_is_up() {
        let start = Instant::now();
        let answer: Result<(), _> = Retry::default()
            .run(|n| async move { Err(Status::unavailable(format!("refused {n}"))) })
            .await;
        // Pauses of 0.25, 0.5 and 1 s fit into 3 s, one of 2 s does not.
        assert_eq!(answer.expect_err("never answered").message(), "refused 4");
        assert_eq!(start.elapsed(), Duration::from_millis(1750));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_at_the_deadline() {
        let answer: Result<(), _> = Retry::default().run(|_| std::future::pending()).await;
        assert_eq!(answer.expect_err("hung").code(), Code::DeadlineExceeded);
    }
}
