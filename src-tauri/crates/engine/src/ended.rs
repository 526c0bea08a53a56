//! The mark that a media process leaves when it ends by itself. Who did not hear of it (an app that was frozen for so long that
//! the show ended for want of it, and the process after it) tells by it an end from a death, after which a show goes on.

use std::path::{Path, PathBuf};

fn place(data: &Path) -> PathBuf {
    data.join("engine.ended")
}

/// This process begins to serve: what an earlier one of the same number left is not about it.
pub(crate) fn begin(data: &Path) {
    if says(data, std::process::id())
        && let Err(e) = std::fs::remove_file(place(data))
    {
        tracing::warn!(error = %e, "an old mark of an end stays; after a death no show would go on");
    }
}

/// It has ended in order, its show with it.
pub(crate) fn leave(data: &Path) {
    if let Err(e) = std::fs::write(place(data), std::process::id().to_string()) {
        tracing::warn!(error = %e, "no mark that the media process ended in order");
    }
}

/// Was it this process that ended in order last?
pub(crate) fn says(data: &Path, pid: u32) -> bool {
    std::fs::read_to_string(place(data)).is_ok_and(|text| text.parse::<u32>() == Ok(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_speaks_for_one_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, own) = (folder.path(), std::process::id());
        assert!(!says(data, own), "it died, for all that is known");
        leave(data);
        assert!(says(data, own) && !says(data, own + 1));
        begin(data);
        assert!(!says(data, own), "another one with its number");
        // One that died while it wrote, and one that another process left.
        std::fs::write(place(data), "").expect("written");
        assert!(!says(data, own));
        std::fs::write(place(data), (own + 1).to_string()).expect("written");
        begin(data);
        assert!(says(data, own + 1), "it is still asked for");
    }
}
