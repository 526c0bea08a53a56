/// Could turn the rest of a row around.
pub(crate) const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A person's name as lists and pictures show it: `林小姐` → `林**`, `Martin` → `M***n`. Never reversible, never empty; a
/// masked name stays as it is.
#[must_use]
pub fn mask_name(name: &str) -> String {
    // Control characters have no place in a name.
    let clean: Vec<char> = name.chars().filter(|c| !c.is_control() && !is_bidi_control(*c)).collect();
    let clean: Vec<char> = clean.into_iter().skip_while(|c| c.is_whitespace()).collect();
    match clean.as_slice() {
        [] | ['*', '*'] => "**".to_owned(),
        [first, '*', '*'] => format!("{first}**"),
        [first, rest @ ..] if first.is_ascii() && rest.len() >= 2 => {
            let last = rest.iter().rev().find(|c| !c.is_whitespace()).copied().unwrap_or('*');
            format!("{first}***{last}")
        }
        [first, ..] => format!("{first}**"),
    }
}

#[cfg(test)]
mod tests {
    use super::mask_name;

    #[test]
    fn names_are_hidden_in_every_script() {
        assert_eq!(mask_name("林小姐"), "林**");
        assert_eq!(mask_name("Martin"), "M***n");
        assert_eq!(mask_name("Al"), "A**");
        assert_eq!(mask_name("  "), "**");
        assert_eq!(mask_name("\u{202E}林"), "林**", "a bidi control must not survive");
    }

    #[test]
    fn masking_twice_is_masking_once() {
        for name in ["林小姐", "Martin", "Al", "A", "", "A b ", "ab*", "***"] {
            let once = mask_name(name);
            assert_eq!(mask_name(&once), once, "{name}");
        }
    }
}
