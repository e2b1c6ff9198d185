//! The batcher as a tower service.

use std::future::poll_fn;
use std::time::Duration;

use edgekit_batcher::{Batcher, Config, Error, Request};
use tower_service::Service;

use crate::support::tens;

/// As axum and tonic ask for it.
fn is_a_service<S, Q>(service: S) -> S
where
    S: Service<Q, Response = u64, Error = Error> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    service
}

#[tokio::test(start_paused = true)]
async fn items_and_requests_with_terms_are_calls() {
    let (batcher, _) = tens(Config::default(), Duration::ZERO);
    let mut service: Batcher<u64, u64> = is_a_service::<_, Request<u64>>(batcher);
    poll_fn(|cx| Service::<u64>::poll_ready(&mut service, cx)).await.unwrap();
    assert_eq!(service.call(4).await.unwrap(), 40);
    let request = Request::new(5).priority(1);
    assert_eq!(service.call(request).await.unwrap(), 50);
}
