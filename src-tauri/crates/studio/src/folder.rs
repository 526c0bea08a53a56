//! Where a data folder is when nobody says.

use std::path::PathBuf;

/// The app data folder of this OS, from its usual variables; `None` on a machine without a home.
pub(crate) fn default_data(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        set("LOCALAPPDATA").or_else(|| Some(set("USERPROFILE")?.join("AppData").join("Local")))
    } else if cfg!(target_os = "macos") {
        Some(set("HOME")?.join("Library").join("Application Support"))
    } else {
        // A relative path is to be ignored, says the XDG base directory specification.
        set("XDG_DATA_HOME").filter(|p| p.is_absolute()).or_else(|| Some(set("HOME")?.join(".local").join("share")))
    };
    base.map(|b| b.join("stallcast"))
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_the_system() {
        let with =
            |pairs: &'static [(&str, &str)]| default_data(move |n| pairs.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned()));
        assert_eq!(with(&[("HOME", "/home/a")]), Some(PathBuf::from("/home/a/.local/share/stallcast")));
        assert_eq!(with(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/d")]), Some(PathBuf::from("/d/stallcast")));
        assert_eq!(with(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "d")]), Some(PathBuf::from("/home/a/.local/share/stallcast")));
        assert_eq!(with(&[]), None);
    }
}
