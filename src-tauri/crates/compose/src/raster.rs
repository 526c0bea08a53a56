//! From SVG text to pixels. No reference in a drawing leads anywhere but to the product picture handed in.

use crate::{ComposeError, Fonts};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::roxmltree::Document;
use resvg::usvg::{ImageHrefResolver, ImageKind, Options, Tree};
use std::sync::Arc;

/// Family of the bundled faces.
pub(crate) const FAMILY: &str = "Noto Sans CJK SC";

/// Reads an own SVG, whose `text` is drawn with faces of `fonts`; `picture` is what `href="picture"` shows.
pub(crate) fn parse(svg: &str, text: Option<(&Fonts, &str)>, picture: Option<ImageKind>) -> Result<Tree, String> {
    let mut options = options(text.map_or_else(Arc::default, |(fonts, text)| fonts.database_for(text)), picture);
    if let Some((fonts, _)) = text {
        options.font_resolver = fonts.resolver();
    }
    Tree::from_str(svg, &options).map_err(|error| error.to_string())
}

/// Reads an SVG of somebody else, which refers to nothing.
pub(crate) fn parse_foreign(document: &Document<'_>, faces: Arc<Database>) -> Result<Tree, String> {
    Tree::from_xmltree(document, &options(faces, None)).map_err(|error| error.to_string())
}

fn options(faces: Arc<Database>, picture: Option<ImageKind>) -> Options<'static> {
    Options {
        font_family: FAMILY.to_owned(),
        fontdb: faces,
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(move |href, _| if href == "picture" { picture.clone() } else { None }),
        },
        ..Options::default()
    }
}

/// Draws `tree` into a transparent picture.
pub(crate) fn draw(tree: &Tree, transform: Transform, width: u32, height: u32) -> Result<Pixmap, ComposeError> {
    let mut pixmap = Pixmap::new(width, height).ok_or(ComposeError::Size { width, height })?;
    resvg::render(tree, transform, &mut pixmap.as_mut());
    Ok(pixmap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_nowhere() {
        let file = std::env::temp_dir().join(format!("stallcast-compose-{}.png", std::process::id()));
        let mut red = Pixmap::new(8, 8).expect("a small picture");
        red.fill(resvg::tiny_skia::Color::from_rgba8(255, 0, 0, 255));
        red.save_png(&file).expect("a temporary file");
        let embedded = "data:image/svg+xml;utf8,&lt;svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'>&lt;rect width='8' height='8'/>&lt;/svg>";
        for href in [file.to_str().expect("a plain path"), "https://example.com/a.png", "picture", embedded] {
            let svg = format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><image href="{href}" width="8" height="8"/></svg>"#
            );
            let tree = parse(&svg, None, None).expect("an SVG");
            let drawn = draw(&tree, Transform::identity(), 8, 8).expect("drawn");
            assert!(drawn.data().iter().all(|byte| *byte == 0), "{href} was followed");
        }
        std::fs::remove_file(&file).expect("the file is ours");
    }
}
