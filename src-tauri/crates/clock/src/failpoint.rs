//! Named places at which a test may end the process. They exist in debug builds only: in a release build the call is
//! empty, and `cargo xtask build --release` looks for the names in the binary.

#[cfg(debug_assertions)]
mod hook {
    use std::sync::OnceLock;

    static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

    /// Calls `hook` at each failpoint from now on. The first one stays. Only in debug builds.
    pub fn on_failpoint(hook: fn(&'static str)) {
        let _ = HOOK.set(hook);
    }

    #[doc(hidden)]
    pub fn pass(name: &'static str) {
        if let Some(hook) = HOOK.get() {
            hook(name);
        }
    }
}

#[cfg(debug_assertions)]
pub use hook::{on_failpoint, pass};

/// There are none in a release build: the hook is never called.
#[cfg(not(debug_assertions))]
pub const fn on_failpoint(_: fn(&'static str)) {}

/// A place between two steps of which one may be the last, for example `failpoint!("push.leased")`.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::failpoint::pass(concat!("failpoint:", $name));
    };
}
