//! The types of the bridge, as committed for `ui/`, are those of the commands. `cargo xtask bindings` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

#[test]
fn the_committed_bindings_are_those_of_the_commands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/ipc/bindings.ts");
    let now = stallcast_shell::bindings().unwrap();
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == now, "{} is stale: run `cargo xtask bindings` and commit it", path.display());
}
