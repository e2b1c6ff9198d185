//! `tower_service::Service` for [`Batcher`], so that it slots under axum and tonic.

use std::task::{Context, Poll};

use tower_service::Service;

use crate::batcher::{Batcher, Request};
use crate::builder::Key;
use crate::error::Error;
use crate::submission::Submission;

/// Always ready: a full queue is an error of the call, so that load is shed rather than hidden. Put
/// tower's `ConcurrencyLimit` in front to wait for room instead.
impl<Q, T, R, K> Service<Q> for Batcher<T, R, K>
where
    Q: Into<Request<T>>,
    T: Send + 'static,
    R: Send + 'static,
    K: Key,
{
    type Response = R;
    type Error = Error;
    type Future = Submission<T, R, K>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        self.submit(request)
    }
}
