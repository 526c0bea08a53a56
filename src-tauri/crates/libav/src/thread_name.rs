//! Threads that codecs start get the name of the thread that opens them: so it is changed for that moment.

/// Runs `open` under another thread name (at most 15 bytes), where the system has that notion.
#[cfg(target_os = "linux")]
pub(crate) fn named<T>(name: &std::ffi::CStr, open: impl FnOnce() -> T) -> T {
    let before = rustix::thread::name();
    let _ = rustix::thread::set_name(name);
    let opened = open();
    if let Ok(before) = before {
        let _ = rustix::thread::set_name(&before);
    }
    opened
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn named<T>(_: &std::ffi::CStr, open: impl FnOnce() -> T) -> T {
    open()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_codec_bear_its_name_and_the_opener_keeps_its_own() {
        let before = rustix::thread::name().expect("a name");
        let inside = named(c"x264", || rustix::thread::name().expect("a name"));
        assert_eq!((inside.to_bytes(), rustix::thread::name().expect("a name")), (&b"x264"[..], before));
    }
}
