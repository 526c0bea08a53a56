use crate::hub::Hub;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longest pause before a part that crashes again and again is started once more.
const MOST_PAUSE: Duration = Duration::from_secs(5);

/// Runs a part of the machinery until it ends by itself. A panic is caught, told and the part starts again: one broken
/// frame must not end the show. `body` gets the number of the run and must begin anew from what it owns.
pub(crate) fn guarded<T>(part: &str, hub: &Hub, mut body: impl FnMut(u32) -> T) -> T {
    let mut pause = Duration::from_millis(20);
    let mut run = 0;
    loop {
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| body(run))) {
            Ok(value) => return value,
            Err(_) => {
                // What it said is in the log: the panic hook writes there.
                tracing::error!(part, run, "crashed; starting again");
                hub.part_restarted(part);
            }
        }
        run += 1;
        pause = if begun.elapsed() > Duration::from_secs(10) { Duration::from_millis(20) } else { (pause * 2).min(MOST_PAUSE) };
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::News;
    use crate::protocol::Event;
    use stallcast_media::HealthCode;

    #[tokio::test]
    async fn a_crashing_part_is_told_and_started_again() {
        let hub = Hub::default();
        let mailbox = hub.attach(true);
        let result = guarded("program", &hub, |run| {
            assert!(run >= 2, "crash of run {run}, on purpose");
            run
        });
        assert_eq!(result, 2);
        for _ in 0..2 {
            let Some(News::Event(Event::Health(health))) = mailbox.next().await else { panic!("a health event") };
            assert_eq!(health.code, HealthCode::PartRestarted);
            assert_eq!(health.params["part"], "program");
        }
    }
}
