//! Names of a recording's parts: `NAME.mp4`, `NAME.part2.mp4`, `NAME.part3.mp4`…

use std::path::{Path, PathBuf};

fn extension(path: &Path) -> String {
    path.extension().map_or_else(|| "mp4".to_owned(), |e| e.to_string_lossy().into_owned())
}

/// Name and number of a part; a file that is none is part 1.
fn place(path: &Path) -> (String, u32) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let split = stem.rsplit_once(".part").and_then(|(name, n)| Some((name.to_owned(), n.parse().ok().filter(|n| *n >= 2)?)));
    split.unwrap_or((stem, 1))
}

/// Where the recording goes on after this part: `NAME.part2.mp4`, or the next number that is free.
#[must_use]
pub fn next_part(path: &Path) -> PathBuf {
    let ((name, n), extension) = (place(path), extension(path));
    (n.saturating_add(1)..)
        .map(|n| path.with_file_name(format!("{name}.part{n}.{extension}")))
        .find(|part| !part.exists())
        .unwrap_or_else(|| path.to_owned())
}

/// Are these parts of one recording? By their names alone.
#[must_use]
pub fn is_one_recording(a: &Path, b: &Path) -> bool {
    a.parent() == b.parent() && extension(a) == extension(b) && place(a).0 == place(b).0
}

/// The parts of the same recording that came before this one; those that are there.
#[must_use]
pub fn earlier_parts(path: &Path) -> Vec<PathBuf> {
    let ((name, n), extension) = (place(path), extension(path));
    let first = (n > 1).then(|| format!("{name}.{extension}"));
    let others = (2..n).map(|n| format!("{name}.part{n}.{extension}"));
    first.into_iter().chain(others).map(|file| path.with_file_name(file)).filter(|part| part.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_on_and_found_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["show.mp4", "show.part2.mp4", "show.part4.mp4", "other.mp4", "show.part3.mov"] {
            std::fs::write(at(name), "x").expect("written");
        }
        assert_eq!(next_part(&at("show.mp4")), at("show.part3.mp4"), "what exists is not touched");
        assert_eq!(next_part(&at("show.part4.mp4")), at("show.part5.mp4"), "a part of a part is the next one");
        assert_eq!(earlier_parts(&at("show.part4.mp4")), [at("show.mp4"), at("show.part2.mp4")]);
        assert!(is_one_recording(&at("show.mp4"), &at("show.part7.mp4")) && is_one_recording(&at("a.mp4"), &at("a.mp4")));
        assert!(!is_one_recording(&at("show.mp4"), &at("show.part2.mov")) && !is_one_recording(&at("a.mp4"), &at("b.part2.mp4")));
        assert!(earlier_parts(&at("show.mp4")).is_empty() && earlier_parts(&at("show.party.mp4")).is_empty());
    }
}
