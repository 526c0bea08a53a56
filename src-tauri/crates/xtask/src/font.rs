//! `cargo xtask font`: cuts the two bundled faces out of Noto Sans CJK SC.
//!
//! Needs the Debian package `fonts-noto-cjk` and `python3` with `venv`; fonttools is installed into `target/font-venv`.
//! The result is committed, so this only runs when the set of characters or the source face changes. The same source
//! and the same fonttools give the same bytes.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pinned so that two machines cut the same bytes.
const FONTTOOLS: &str = "fonttools==4.68.0";
/// Where Debian, Ubuntu and Arch put the source faces.
const SOURCES: [&str; 3] = ["/usr/share/fonts/opentype/noto", "/usr/share/fonts/noto-cjk", "/usr/share/fonts/google-noto-cjk"];
/// Both faces together, bytes.
const MOST_BYTES: u64 = 6_000_000;

/// GB 2312 (both levels and its symbols), Latin, Latin-1, Latin Extended-A, punctuation, currency and a few pictographs.
/// Vertical writing and alternate forms are left out; hints are of no use to resvg.
const CUT: &str = r#"
import sys
from fontTools import subset
from fontTools.ttLib import TTCollection

source, target = sys.argv[1:3]
chars = set()
for row in range(0xA1, 0xF8):
    for cell in range(0xA1, 0xFF):
        try:
            chars.add(ord(bytes((row, cell)).decode("gb2312")))
        except UnicodeDecodeError:
            pass
for first, last in ((0x20, 0x7E), (0xA0, 0x17F), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x209C), (0x20A0, 0x20C0),
                    (0x2100, 0x214F), (0x2150, 0x218B), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2460, 0x24FF), (0x25A0, 0x25FF),
                    (0x2600, 0x266F), (0x2700, 0x27BF), (0x3000, 0x303F), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF)):
    chars.update(range(first, last + 1))

face = next(f for f in TTCollection(source, lazy=True).fonts if f["name"].getDebugName(1) == "Noto Sans CJK SC")
options = subset.Options(hinting=False, notdef_outline=True, recalc_timestamp=False, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
                         layout_features=["kern", "ccmp", "mark", "mkmk"], drop_tables=["DSIG", "VORG", "vhea", "vmtx", "BASE"])
cutter = subset.Subsetter(options)
cutter.populate(unicodes=chars)
cutter.subset(face)
face.save(target)
han = sum(0x4E00 <= c <= 0x9FFF for c in face.getBestCmap())
print(han, len(face.getBestCmap()))
assert han >= 6763, "GB 2312 is not complete"
"#;

/// Writes `src-tauri/crates/compose/fonts/*.otf`.
///
/// # Errors
/// The source faces or Python are missing, fonttools cannot be installed, or the result is too large.
pub fn run() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).context("the workspace root lies three folders up")?;
    let target = root.join("src-tauri/crates/compose/fonts");
    std::fs::create_dir_all(&target)?;
    ensure!(target.join("OFL.txt").exists(), "the licence text {} must stand beside the faces", target.join("OFL.txt").display());
    let python = python(root)?;
    let mut bytes = 0;
    for weight in ["Regular", "Bold"] {
        let source = source(weight)?;
        let face = target.join(format!("NotoSansCJKsc-{weight}-subset.otf"));
        run_command(Command::new(&python).arg("-c").arg(CUT).arg(&source).arg(&face))?;
        bytes += std::fs::metadata(&face)?.len();
    }
    ensure!(bytes <= MOST_BYTES, "both faces take {bytes} bytes, more than {MOST_BYTES}");
    Ok(())
}

fn source(weight: &str) -> anyhow::Result<PathBuf> {
    let name = format!("NotoSansCJK-{weight}.ttc");
    let found = SOURCES.iter().map(|folder| Path::new(folder).join(&name)).find(|path| path.exists());
    found.with_context(|| format!("{name} is not installed: apt-get install fonts-noto-cjk"))
}

/// The interpreter of the virtual environment, made on the first run.
fn python(root: &Path) -> anyhow::Result<PathBuf> {
    let venv = root.join("target/font-venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        run_command(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    run_command(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", FONTTOOLS]))?;
    Ok(python)
}

fn run_command(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{} does not start", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{} ended with {status}", command.get_program().to_string_lossy());
    }
    Ok(())
}
