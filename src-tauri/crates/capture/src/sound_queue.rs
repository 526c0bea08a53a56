use stallcast_media::{AudioBlock, Pts, SAMPLE_RATE};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sample frames kept for a reader that does not come: 3 s.
const MOST: usize = 3 * SAMPLE_RATE as usize;

/// Blocks between a source's thread and its reader. Overflow policy: the oldest go, counted in sample frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct SoundQueue(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    blocks: VecDeque<AudioBlock>,
    frames: usize,
    overflowed: u64,
    closed: bool,
}

impl SoundQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a block. Never blocks.
    pub(crate) fn push(&self, block: AudioBlock) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.frames += block.frames();
        state.blocks.push_back(block);
        while state.frames > MOST
            && let Some(old) = state.blocks.pop_front()
        {
            state.frames -= old.frames();
            state.overflowed += u64::try_from(old.frames()).unwrap_or(0);
        }
    }

    /// Everything that came since the last call.
    pub(crate) fn take(&self) -> Vec<AudioBlock> {
        let mut state = self.lock();
        state.frames = 0;
        state.blocks.drain(..).collect()
    }

    /// Nobody reads any more. The sample frames that were lost to overflow.
    pub(crate) fn close(&self) -> u64 {
        let mut state = self.lock();
        state.closed = true;
        state.blocks.clear();
        state.overflowed
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

/// Silence from sample `from` up to `to` of the monotonic clock's 48 kHz grid, in blocks of at most 20 ms.
pub(crate) fn silence(from: Pts, frames: i64, channels: u16) -> impl Iterator<Item = AudioBlock> {
    const STEP: i64 = SAMPLE_RATE as i64 / 50;
    (0..frames.max(0)).step_by(STEP as usize).map(move |done| {
        let length = usize::try_from((frames - done).min(STEP)).unwrap_or(0);
        let pts = from + Pts::from_ticks(done, SAMPLE_RATE).0;
        AudioBlock { pts, rate: SAMPLE_RATE, channels, samples: vec![0.0; length * usize::from(channels)] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_does_not_come_costs_the_oldest_sound_and_no_memory() {
        let queue = SoundQueue::default();
        for i in 0..300 {
            queue.push(AudioBlock { pts: Pts::from_ms(i * 20), rate: SAMPLE_RATE, channels: 1, samples: vec![0.0; 960] });
        }
        let kept = queue.take();
        assert_eq!(kept.len(), 150);
        assert_eq!(kept[0].pts, Pts::from_ms(150 * 20));
        assert!(queue.take().is_empty());
        assert_eq!(queue.close(), 150 * 960);
    }

    #[test]
    fn silence_has_exactly_the_length_asked_for() {
        let blocks: Vec<_> = silence(Pts::from_ms(5), 2000, 2).collect();
        assert_eq!(blocks.iter().map(AudioBlock::frames).sum::<usize>(), 2000);
        assert!(blocks.windows(2).all(|w| w[0].end() == w[1].pts));
    }
}
