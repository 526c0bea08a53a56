//! SVG templates: `{{name}}` becomes an escaped value, `{{#name}}…{{/name}}` is kept only with a value of that name,
//! `{{^name}}…{{/name}}` only without.

use crate::ComposeError;
use std::collections::BTreeMap;

/// Values of one drawing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(BTreeMap<&'static str, String>);

impl Values {
    pub(crate) fn text(&mut self, name: &'static str, value: impl Into<String>) -> &mut Self {
        self.0.insert(name, value.into());
        self
    }

    /// A length or position, to a thousandth.
    pub(crate) fn number(&mut self, name: &'static str, value: f32) -> &mut Self {
        self.text(name, format!("{:.3}", if value.is_finite() { value } else { 0.0 }))
    }

    pub(crate) fn flag(&mut self, name: &'static str, on: bool) -> &mut Self {
        if on { self.text(name, "") } else { self }
    }
}

/// The template with its values.
pub(crate) fn fill(name: &'static str, template: &str, values: &Values) -> Result<String, ComposeError> {
    let wrong = |reason: String| ComposeError::Template { name, reason };
    let mut out = String::with_capacity(template.len() * 2);
    // Open sections with whether they are kept.
    let mut open: Vec<(&str, bool)> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let kept = open.iter().all(|(_, kept)| *kept);
        if kept {
            out.push_str(before);
        }
        let (tag, after) = after.split_once("}}").ok_or_else(|| wrong("a {{ has no }}".to_owned()))?;
        rest = after;
        if let Some(section) = tag.strip_prefix('#') {
            open.push((section, values.0.contains_key(section)));
        } else if let Some(section) = tag.strip_prefix('^') {
            open.push((section, !values.0.contains_key(section)));
        } else if let Some(section) = tag.strip_prefix('/') {
            match open.pop() {
                Some((name, _)) if name == section => {}
                _ => return Err(wrong(format!("{{{{/{section}}}}} closes nothing"))),
            }
        } else if kept {
            escape(values.0.get(tag).ok_or_else(|| wrong(format!("no value for {{{{{tag}}}}}")))?, &mut out);
        }
    }
    if let Some((section, _)) = open.pop() {
        return Err(wrong(format!("{{{{#{section}}}}} is never closed")));
    }
    out.push_str(rest);
    Ok(out)
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use resvg::usvg::roxmltree::Document;

    #[test]
    fn sections_and_values() {
        let mut values = Values::default();
        values.text("a", "1 < 2").flag("on", true).flag("off", false).number("n", 1.5);
        let filled = fill("t", "<x>{{a}}{{#on}}+{{n}}{{^off}}!{{/off}}{{/on}}{{#off}}{{lost}}{{/off}}</x>", &values);
        assert_eq!(filled.expect("filled"), "<x>1 &lt; 2+1.500!</x>");
    }

    #[test]
    fn a_template_that_does_not_fit_its_values_is_an_error() {
        for broken in ["{{nobody}}", "{{a", "{{#a}}", "{{#a}}{{/b}}", "{{/a}}"] {
            assert!(fill("t", broken, Values::default().text("a", "")).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_value_can_leave_its_place(value in "\\PC{0,40}") {
            let filled = fill("t", "<x y=\"{{v}}\">{{v}}</x>", Values::default().text("v", value.clone())).expect("filled");
            let document = Document::parse(&filled).expect("still XML");
            let root = document.root_element();
            prop_assert_eq!(root.children().filter(|n| n.is_element()).count(), 0);
            prop_assert_eq!(root.text().unwrap_or(""), value.as_str());
        }
    }
}
