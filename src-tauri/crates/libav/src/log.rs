//! libav's own messages, into `tracing`.
#![expect(unsafe_code, reason = "libav hands its messages to a C callback")]

use ffmpeg_next::ffi;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// A camera with damaged pictures complains 30 times a second: this many lines get through in each [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Sends libav's warnings and errors to `tracing`, without addresses. Called by everything that opens something; only
/// the first call does anything.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both only store what they are given, and the callback lives as long as the program.
        unsafe {
            ffi::av_log_set_level(ffi::AV_LOG_WARNING);
            install(ffi::av_log_set_callback);
        }
    });
}

/// `va_list` has another type on each system; it is inferred here from the setter, so that one callback serves all.
type Callback<V> = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, V);
type Format<V> = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, V, *mut c_char, c_int, *mut c_int) -> c_int;

/// # Safety
/// `set` must be `av_log_set_callback`.
unsafe fn install<V>(set: unsafe extern "C" fn(Option<Callback<V>>)) {
    // SAFETY: the caller passes the setter of exactly this kind of callback.
    unsafe { set(Some(receive::<V>)) };
}

unsafe extern "C" fn receive<V>(context: *mut c_void, level: c_int, format: *const c_char, values: V) {
    if level > ffi::AV_LOG_WARNING || !allowed() {
        return;
    }
    let mut line = [0 as c_char; 512];
    let mut prefix = 1;
    // SAFETY: the type of `values` was inferred from libav's own callback type, which is what this function takes too.
    let print = unsafe { std::mem::transmute::<*const (), Format<V>>(ffi::av_log_format_line2 as *const ()) };
    // SAFETY: libav passed the first four for this very call; the line is as long as said and comes back terminated.
    let text = unsafe {
        print(context, level, format, values, line.as_mut_ptr(), 512, &raw mut prefix);
        CStr::from_ptr(line.as_ptr())
    };
    let text = without_addresses(&text.to_string_lossy());
    if level <= ffi::AV_LOG_ERROR {
        tracing::warn!(target: "libav", "{text}");
    } else {
        tracing::debug!(target: "libav", "{text}");
    }
}

fn allowed() -> bool {
    static SPENT: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let mut spent = SPENT.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    match &mut *spent {
        Some((since, lines)) if now.duration_since(*since) < WINDOW => {
            *lines += 1;
            *lines <= LINES
        }
        other => {
            *other = Some((now, 1));
            true
        }
    }
}

/// Addresses can hold keys: any word with `://` in it is left out.
fn without_addresses(line: &str) -> String {
    line.split_whitespace().map(|word| if word.contains("://") { "(address)" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_do_not_get_into_the_log() {
        assert_eq!(
            without_addresses("[rtmp @ 0x1] Opening 'rtmp://host/app/KEY' for writing\n"),
            "[rtmp @ 0x1] Opening (address) for writing"
        );
    }
}
