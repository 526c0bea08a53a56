//! How much work a foreign SVG asks for, estimated before any of it is done. A few hundred bytes of references to
//! references can ask for years.

use resvg::usvg::roxmltree::{Document, Node, NodeId};
use std::collections::HashMap;

/// What a drawing may cost: about a second.
const MOST: u64 = 100_000;
/// References that lead on to references.
const MOST_STEPS: usize = 32;
/// Of one filter step over the whole drawing, compared to a short shape.
const FILTER_STEP: u64 = 300;
/// Of one octave of noise over the whole drawing.
const OCTAVE: u64 = 3000;
/// Bytes of path, style or transform that cost as much as a short shape.
const BYTES: usize = 16;

/// Can it be drawn in reasonable time?
pub(crate) fn is_affordable(document: &Document<'_>) -> bool {
    let targets = document.descendants().filter_map(|node| Some((node.attribute("id")?, node))).collect();
    let mut estimate = Estimate { targets, known: HashMap::new() };
    let style =
        document.descendants().filter(|node| node.has_tag_name_of("style")).flat_map(|node| node.children()).filter_map(|node| node.text());
    // A style rule may reach every element.
    let styled = style.flat_map(references).any(|id| estimate.targets.get(id).is_some_and(|target| !is_gradient(target)));
    !styled && estimate.of(document.root_element(), 0).is_some_and(|cost| cost <= MOST)
}

trait LocalName {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn is_gradient(node: &Node<'_, '_>) -> bool {
    node.has_tag_name_of("linearGradient") || node.has_tag_name_of("radialGradient")
}

struct Estimate<'a> {
    targets: HashMap<&'a str, Node<'a, 'a>>,
    known: HashMap<NodeId, u64>,
}

impl<'a> Estimate<'a> {
    /// Cost of an element with everything in it and everything it refers to; `None` if references go round or too deep.
    fn of(&mut self, top: Node<'a, 'a>, steps: usize) -> Option<u64> {
        if let Some(known) = self.known.get(&top.id()) {
            return Some(*known);
        }
        if steps > MOST_STEPS {
            return None;
        }
        let mut cost = 0_u64;
        for node in top.descendants() {
            cost = cost.saturating_add(1 + node.text().map_or(0, |text| text.len() / BYTES) as u64);
            let step = node.tag_name().name();
            if step.starts_with("fe") {
                cost = cost.saturating_add(FILTER_STEP);
            }
            // Looks at the square of its radius for each pixel, and how many pixels that is depends on every transform around it.
            if step == "feMorphology" {
                cost = u64::MAX;
            }
            let vertices = node.attribute("d").or(node.attribute("points")).map_or(0, |path| path.len() / 4) as u64;
            for attribute in node.attributes() {
                let value = attribute.value();
                cost = cost.saturating_add((value.len() / BYTES) as u64).saturating_add(work_of(step, attribute.name(), value));
                // Markers are drawn at every vertex.
                let times = if attribute.name().starts_with("marker") || value.contains("marker") { 1 + vertices } else { 1 };
                let href = (attribute.name() == "href").then(|| value.trim().strip_prefix('#')).flatten();
                for id in href.into_iter().chain(references(value)) {
                    let Some(target) = self.targets.get(id).copied().filter(|target| !is_gradient(target)) else { continue };
                    cost = cost.saturating_add(self.of(target, steps + 1)?.saturating_mul(times));
                }
            }
        }
        self.known.insert(top.id(), cost);
        Some(cost)
    }
}

/// What a filter step does besides, where one of its attributes says how often it does it for each pixel.
fn work_of(step: &str, attribute: &str, value: &str) -> u64 {
    match (step, attribute) {
        // What cannot be read here may be read there.
        ("feTurbulence", "numOctaves") => {
            OCTAVE.saturating_mul(value.trim().parse().map_or(u64::MAX, |octaves: f32| octaves.round() as u64))
        }
        // A number and what parts it from the next take two characters at least.
        ("feConvolveMatrix", "kernelMatrix") => FILTER_STEP.saturating_mul(value.len() as u64 / 2),
        _ => 0,
    }
}

/// The ids in `url(#id)`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("url(").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches([' ', '"', '\'', '\n', '\t']).strip_prefix('#')?;
        rest.split([')', '"', '\'', ' ']).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affordable(inside: &str) -> bool {
        let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>{inside}</svg>");
        is_affordable(&Document::parse(&svg).expect("XML"))
    }

    /// `open` and `close` of each level around four references to the level below.
    fn tower(levels: usize, open: &str, reference: &str, close: &str) -> String {
        let level = |i: usize| {
            format!("{}{}{close}", open.replace('@', &i.to_string()), reference.replace('@', &(i.saturating_sub(1)).to_string()).repeat(4))
        };
        let ground = format!("{}<rect width='9' height='9'/>{close}", open.replace('@', "0"));
        ground + &(1..levels).map(level).collect::<String>()
    }

    #[test]
    fn towers_of_references_are_too_dear() {
        for (name, open, reference, close) in [
            ("use", "<g id='a@'>", "<use xlink:href='#a@'/>", "</g>"),
            ("pattern", "<pattern id='a@'>", "<rect fill='url(#a@)'/>", "</pattern>"),
            ("quoted", "<pattern id='a@'>", "<rect style='fill: url( \"#a@\" )'/>", "</pattern>"),
            ("mask", "<mask id='a@'>", "<rect mask='url(#a@)'/>", "</mask>"),
        ] {
            assert!(affordable(&tower(4, open, reference, close)), "{name}, low");
            assert!(!affordable(&tower(20, open, reference, close)), "{name}");
        }
    }

    #[test]
    fn rings_and_masses_are_too_dear() {
        assert!(!affordable("<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>"));
        assert!(!affordable("<g id='a'><use href='#a'/></g>"));
        assert!(!affordable(&format!(
            "<filter id='f'><feGaussianBlur stdDeviation='3'/></filter>{}",
            "<rect filter='url(#f)'/>".repeat(1000)
        )));
        assert!(!affordable(&format!(
            "<marker id='m'>{}</marker><path marker-mid='url(#m)' d='{}'/>",
            "<rect/>".repeat(100),
            "h1v1".repeat(5000)
        )));
        assert!(!affordable("<style>rect { fill: url(#p) }</style><pattern id='p'><rect/></pattern><rect/>"));
    }

    #[test]
    fn steps_of_filters_that_do_much_for_each_pixel_are_too_dear() {
        for step in [
            "<feTurbulence numOctaves='4000000000'/>",
            "<feTurbulence numOctaves=' 1e3'/>",
            "<feTurbulence numOctaves='1000 '/>",
            "<feTurbulence xmlns:s='http://www.w3.org/2000/svg' s:numOctaves='1000'/>",
            "<feMorphology operator='dilate' radius='1000'/>",
            &format!("<feConvolveMatrix order='100' kernelMatrix='{}'/>", "1 ".repeat(10_000)),
        ] {
            assert!(!affordable(&format!("<filter id='f'>{step}</filter><rect filter='url(#f)'/>")), "{step}");
        }
        let paper = "<feTurbulence baseFrequency='.8' numOctaves='3'/><feConvolveMatrix order='3' kernelMatrix='0 -1 0 -1 5 -1 0 -1 0'/>";
        assert!(affordable(&format!("<filter id='f'>{paper}</filter><rect filter='url(#f)'/><rect filter='url(#f)'/>")));
    }

    #[test]
    fn what_designers_draw_is_affordable() {
        let gradients = "<style>.a{fill:url(#g)}</style><linearGradient id='g'><stop/></linearGradient>";
        assert!(affordable(&format!(
            "{gradients}<clipPath id='c'><rect/></clipPath>{}",
            "<path class='a' clip-path='url(#c)' d='M0 0h9v9z'/>".repeat(5000)
        )));
        assert!(affordable("<filter id='f'><feDropShadow/></filter><g filter='url(#f)'><circle r='4'/></g><use href='#nobody'/>"));
    }
}
