//! A seller's token as a file holds it.

use secrecy::SecretString;
use std::io::Read;
use std::path::Path;

/// Longest token file, bytes.
const MOST_TOKEN: u64 = 4096;

/// The seller's token as the shop wrote it; `None` for an empty file.
///
/// # Errors
/// The file cannot be read, or is no text.
pub(crate) fn read_token(path: &Path) -> std::io::Result<Option<SecretString>> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::fs::File::open(path)?.take(MOST_TOKEN).read_to_string(&mut text)?;
    let token = text.trim();
    // An empty token would be sent as none.
    Ok((!token.is_empty()).then(|| SecretString::from(token.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_token_is_one_word_of_its_file() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("shop.token");
        assert!(read_token(&path).is_err());
        std::fs::write(&path, "abc\n").expect("write");
        assert_eq!(read_token(&path).expect("read").expect("token").expose_secret(), "abc");
        std::fs::write(&path, " \n").expect("write");
        assert!(read_token(&path).expect("read").is_none());
    }
}
