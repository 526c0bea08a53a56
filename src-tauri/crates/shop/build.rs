//! Rebuilds when the built pages or the migrations change: the macros that embed them see only files that existed before.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=sample");
    println!("cargo:rerun-if-changed=../../../ui/dist");
}
