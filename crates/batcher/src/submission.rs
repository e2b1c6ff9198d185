//! The future of one request's answer, which takes the request back when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::batcher::{Shared, closed};
use crate::builder::Key;
use crate::error::Error;
use crate::queue::Ticket;

/// A queued request: resolves to its answer. Dropping it cancels the request.
#[must_use = "dropping a submission takes its request out of the queue"]
pub struct Submission<T: Send + 'static, R: Send + 'static, K: Key = ()>(Inner<T, R, K>);

enum Inner<T: Send + 'static, R: Send + 'static, K: Key> {
    Refused(Error),
    Waiting {
        shared: Arc<Shared<T, R, K>>,
        key: K,
        ticket: Ticket,
        answer: oneshot::Receiver<Result<R, Error>>,
    },
    Answered,
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Submission<T, R, K> {
    pub(crate) fn refused(error: Error) -> Self {
        Submission(Inner::Refused(error))
    }

    pub(crate) fn waiting(
        shared: Arc<Shared<T, R, K>>,
        key: K,
        ticket: Ticket,
        answer: oneshot::Receiver<Result<R, Error>>,
    ) -> Self {
        Submission(Inner::Waiting { shared, key, ticket, answer })
    }
}

// Nothing here is pinned: the key and the ticket only name the request.
impl<T: Send + 'static, R: Send + 'static, K: Key> Unpin for Submission<T, R, K> {}

impl<T: Send + 'static, R: Send + 'static, K: Key> Future for Submission<T, R, K> {
    type Output = Result<R, Error>;

    /// # Panics
    ///
    /// If it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.0 {
            Inner::Waiting { answer, .. } => match Pin::new(answer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(answer)) => answer,
                // Its runner went away with the runtime.
                Poll::Ready(Err(_)) => Err(closed()),
            },
            Inner::Refused(error) => Err(error.clone()),
            Inner::Answered => panic!("a submission was polled after it had been answered"),
        };
        self.0 = Inner::Answered;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Drop for Submission<T, R, K> {
    fn drop(&mut self) {
        if let Inner::Waiting { shared, key, ticket, .. } = &self.0 {
            shared.cancel(key, *ticket);
        }
    }
}
