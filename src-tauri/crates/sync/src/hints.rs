//! The platform's event stream: a reason to read now.

use crate::line::Line;
use futures_util::StreamExt;
use stallcast_clock::failpoint;
use stallcast_platform::{About, Hint, HintStream, PlatformError};
use stallcast_store::ReceivedEvent;
use std::sync::Arc;

/// Hints taken together when many come at once.
const BURST: usize = 128;

pub(crate) async fn run(line: Arc<Line>) {
    let mut backoff = line.timing.backoff(line.seed());
    loop {
        let Some(heard) = line.token.run_until_cancelled(listen(&line)).await else { return };
        let (heard, e) = heard;
        if heard {
            backoff.reset();
        }
        tracing::debug!(error = %e, "the event stream ended; polling goes on");
        let wait = if let PlatformError::RateLimited { retry_after } = e { retry_after } else { backoff.next_wait() };
        if !line.rest(wait, Some(&line.listen_again)).await {
            return;
        }
    }
}

/// Listens until the stream ends. True if it said anything.
async fn listen(line: &Line) -> (bool, PlatformError) {
    let resume = line.store.event_cursor(&line.connection).await.unwrap_or_else(|e| {
        tracing::warn!(error = %e, "the event stream begins where it is now");
        None
    });
    match line.platform.hints(resume.as_deref()).await {
        Ok(stream) => {
            // While nobody listened, anything may have happened.
            nudge(line, &About::Everything);
            take(line, stream).await
        }
        Err(e) => (false, e),
    }
}

async fn take(line: &Line, stream: HintStream) -> (bool, PlatformError) {
    let mut bursts = stream.ready_chunks(BURST);
    let mut heard = false;
    while let Some(burst) = bursts.next().await {
        let (mut events, mut end) = (Vec::new(), None);
        for item in burst {
            match item {
                Ok(Hint { id, kind, about }) => {
                    heard = true;
                    nudge(line, &about);
                    events.extend(id.map(|id| ReceivedEvent { id, kind }));
                }
                Err(e) => end = Some(e),
            }
        }
        failpoint!("hints.heard");
        let resume = events.last().map(|e| e.id.clone());
        if resume.is_some()
            && let Err(e) = line.store.receive_events(&line.connection, events, resume, line.clock.utc_ms()).await
        {
            // The stream begins earlier next time; a hint that comes twice does no harm.
            tracing::warn!(error = %e, "hints were not remembered");
        }
        if let Some(e) = end {
            return (heard, e);
        }
    }
    (heard, PlatformError::Unreachable { sent: stallcast_platform::Sent::Maybe, detail: "the stream ended".to_owned() })
}

fn nudge(line: &Line, about: &About) {
    match about {
        About::Orders => line.read_orders.notify_one(),
        About::Products => line.read_products.notify_one(),
        About::Comments => line.read_comments.notify_one(),
        About::Coupon(_) => line.read_coupons.notify_one(),
        About::Everything => {
            line.read_orders.notify_one();
            line.read_products.notify_one();
            line.read_comments.notify_one();
            line.read_coupons.notify_one();
        }
        About::Room | About::Nothing => {}
    }
}
