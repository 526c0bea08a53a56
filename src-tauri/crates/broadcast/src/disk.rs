use std::io;
use std::path::Path;

/// Never taken from a disk, so that the shop's and the studio's databases still have room: 2 % of it, at most this.
const RESERVE: u64 = 500 << 20;
/// No warning above this much room: there is time to act on the first one.
const LOW: u64 = 5 << 30;
/// Minutes at which a person is told, once each.
const WARN_AT: [u64; 3] = [120, 30, 10];

/// What a disk has left for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes that may still be written, the reserve taken off.
    pub usable: u64,
    /// Bytes free for this user.
    pub free: u64,
}

impl Room {
    fn new(free: u64, size: u64) -> Self {
        Self { usable: free.saturating_sub(RESERVE.min(size / 50)), free }
    }

    /// Of the disk that holds `folder`. `None` where the OS does not say.
    pub fn of(folder: &Path) -> io::Result<Option<Self>> {
        #[cfg(unix)]
        {
            let disk = rustix::fs::statvfs(folder)?;
            let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            Ok(Some(Self::new(bytes(disk.f_bavail), bytes(disk.f_blocks))))
        }
        #[cfg(not(unix))]
        {
            let _ = folder;
            Ok(None)
        }
    }
}

/// Says when a person must hear of a filling disk: below [`LOW`] bytes *and* when the room left is shorter than a show
/// may be, again as it becomes urgent, and anew when space was made in between.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    told: usize,
}

impl Watch {
    /// Minutes left and whether to tell of them now.
    pub fn look(&mut self, room: Room, bytes_per_minute: u64) -> (u64, bool) {
        let minutes = room.usable / bytes_per_minute.max(1);
        let reached = if room.free < LOW { WARN_AT.iter().filter(|at| minutes < **at).count() } else { 0 };
        let tell = reached > self.told;
        let cleared = self.told > 0 && minutes > 2 * WARN_AT[self.told - 1];
        if tell || cleared {
            self.told = reached;
        }
        (minutes, tell)
    }
}

/// The system has no room for what was to be written.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_MINUTE: u64 = 20 << 20;

    fn room(free: u64) -> Room {
        Room::new(free, 200 << 30)
    }

    #[test]
    fn a_person_is_told_when_a_show_may_not_fit_and_again_when_it_presses() {
        let mut watch = Watch::default();
        assert!(!watch.look(room(100 << 30), PER_MINUTE).1);
        assert_eq!(watch.look(room(4 << 30), PER_MINUTE), (179, false), "little room, but three hours of it");
        assert_eq!(watch.look(room(2 << 30), PER_MINUTE), (77, true));
        assert!(!watch.look(room(2 << 30), PER_MINUTE).1, "once");
        assert_eq!(watch.look(room(900 << 20), PER_MINUTE), (20, true));
        assert_eq!(watch.look(room(600 << 20), PER_MINUTE), (5, true));
        assert_eq!(watch.look(room(500 << 20), PER_MINUTE), (0, false));
        assert!(!watch.look(room(20 << 30), PER_MINUTE).1, "somebody made room");
        assert_eq!(watch.look(room(2 << 30), PER_MINUTE), (77, true), "and it is gone again");
    }

    #[test]
    fn many_minutes_on_a_fast_stream_are_few_bytes_and_the_other_way_round() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(room(50 << 30), 1 << 30), (49, false), "50 GiB is not a full disk, whatever the stream");
        assert!(watch.look(room(4 << 30), 1 << 30).1);
    }

    #[test]
    fn small_disks_keep_a_small_reserve() {
        assert_eq!(Room::new(10 << 20, 100 << 20).usable, 8 << 20);
        assert_eq!(Room::new(1 << 20, 100 << 20).usable, 0);
    }
}
