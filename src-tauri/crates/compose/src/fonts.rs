use resvg::usvg::FontResolver;
use resvg::usvg::fontdb::{Database, FaceInfo, ID, Source, Stretch, Style};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const REGULAR: &[u8] = include_bytes!("../fonts/NotoSansCJKsc-Regular-subset.otf");
const BOLD: &[u8] = include_bytes!("../fonts/NotoSansCJKsc-Bold-subset.otf");
/// Different characters remembered; a title has at most 80.
const MOST_KNOWN: usize = 4096;
/// Drawn for a character that no font has. The bundled faces have it.
pub(crate) const BOX: char = '□';

/// Names of faces that do not go with the bundled ones: with serifs, or written with a brush.
const BOOKISH: [&str; 10] = ["Serif", "Song", "SimSun", "Ming", "Mincho", "Batang", "Kai", "Fang", "Roman", "Times"];
/// Names of faces whose Han forms are those of another region.
const REGIONAL: [&str; 8] = [" JP", " KR", " TC", " HK", "Gothic", "JhengHei", "Hiragino", "Malgun"];

/// The two bundled weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// Faces to draw with. Cheap to clone, all clones count together.
///
/// Text is drawn with the bundled faces, so that it looks the same on every machine. Only for a character they lack are
/// the system's fonts read, and one that is missing there too becomes a counted box.
#[derive(Clone)]
pub struct Fonts(Arc<Shared>);

/// Answers of fonts, also that they have none.
type Known<K, V> = HashMap<K, Option<V>>;

struct Shared {
    bundled: Arc<Database>,
    /// Bundled and system faces; read on the first miss (0.1 to 1 s), never on the program thread.
    all: OnceLock<Arc<Database>>,
    regular: FontRef<'static>,
    bold: FontRef<'static>,
    /// Face and advance in em of characters that only a system face has; `None` where none has it.
    foreign: Mutex<Known<(char, Weight), (ID, f32)>>,
    /// Advance in em of a character in a system face.
    advances: Mutex<Known<(ID, char), f32>>,
    missing: Mutex<BTreeSet<char>>,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fonts").field("missing_glyphs", &self.missing_glyphs()).finish_non_exhaustive()
    }
}

impl Fonts {
    /// The faces inside this program.
    ///
    /// # Panics
    /// Never: the faces are part of the program and a test reads them.
    #[must_use]
    pub fn bundled() -> Self {
        let mut bundled = Database::new();
        for face in [REGULAR, BOLD] {
            bundled.load_font_source(Source::Binary(Arc::new(face)));
        }
        let open = |face| FontRef::new(face).expect("a bundled face is a whole font");
        Self(Arc::new(Shared {
            bundled: Arc::new(bundled),
            all: OnceLock::new(),
            regular: open(REGULAR),
            bold: open(BOLD),
            foreign: Mutex::default(),
            advances: Mutex::default(),
            missing: Mutex::default(),
        }))
    }

    /// Different characters so far that no font on this machine has. Any thread.
    #[must_use]
    pub fn missing_glyphs(&self) -> u64 {
        self.0.missing.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Only the bundled faces.
    pub(crate) fn bundled_database(&self) -> Arc<Database> {
        Arc::clone(&self.0.bundled)
    }

    /// The text as it can be drawn: boxes for what no font has. Counts those.
    pub(crate) fn drawable(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if joins(c) {
                // Nothing to shape after a box; a skin tone without its font would be a box of its own.
                let shapes = !out.ends_with(BOX) && (!is_skin_tone(c) || self.foreign(c, Weight::Regular).is_some());
                out.extend(shapes.then_some(c));
            } else {
                out.push(if self.is_bundled(c) || self.foreign(c, Weight::Regular).is_some() { c } else { self.boxed(c) });
            }
        }
        out
    }

    /// Faces that can draw this (drawable) text.
    pub(crate) fn database_for(&self, text: &str) -> Arc<Database> {
        if text.chars().all(|c| self.is_bundled(c)) { self.bundled_database() } else { Arc::clone(self.all()) }
    }

    /// Width in em.
    pub(crate) fn width(&self, text: &str, weight: Weight) -> f32 {
        let face = match weight {
            Weight::Regular => &self.0.regular,
            Weight::Bold => &self.0.bold,
        };
        let characters = face.charmap();
        let metrics = face.glyph_metrics(Size::new(1.0), LocationRef::default());
        let own = |c: char| characters.map(c).and_then(|glyph| metrics.advance_width(glyph));
        let lacking = text.chars().find(|c| !joins(*c) && own(*c).is_none());
        // A system face that has all of the text draws all of it, not only what is lacking.
        if let Some((id, _)) = lacking.and_then(|c| self.foreign(c, weight))
            && let Some(whole) = text.chars().map(|c| if joins(c) { Some(0.0) } else { self.advance_in(id, c) }).sum()
        {
            return whole;
        }
        text.chars()
            .map(|c| match own(c) {
                Some(advance) => advance,
                None if joins(c) => 0.0,
                None => self.foreign(c, weight).map_or(1.0, |(_, advance)| advance),
            })
            .sum()
    }

    fn is_bundled(&self, c: char) -> bool {
        self.0.regular.charmap().map(c).is_some()
    }

    fn boxed(&self, c: char) -> char {
        let mut missing = self.0.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.len() < MOST_KNOWN && missing.insert(c) {
            tracing::warn!(character = %c.escape_unicode(), "no font has this character");
        }
        BOX
    }

    fn all(&self) -> &Arc<Database> {
        self.0.all.get_or_init(|| {
            let mut all = Database::clone(&self.0.bundled);
            all.load_system_fonts();
            tracing::info!(faces = all.len(), "system fonts read for a character the bundled faces lack");
            Arc::new(all)
        })
    }

    /// The system face that has it and looks most like the bundled one.
    fn foreign(&self, c: char, weight: Weight) -> Option<(ID, f32)> {
        let mut foreign = self.0.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = foreign.get(&(c, weight)) {
            return *known;
        }
        let all = self.all();
        let mut faces: Vec<&FaceInfo> = all.faces().collect();
        faces.sort_by_cached_key(|face| unlikeness(face, weight));
        let found = faces.iter().find_map(|face| Some((face.id, advance(all, face.id, c)?)));
        if foreign.len() < MOST_KNOWN {
            foreign.insert((c, weight), found);
        }
        found
    }

    fn advance_in(&self, id: ID, c: char) -> Option<f32> {
        let mut advances = self.0.advances.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = advances.get(&(id, c)) {
            return *known;
        }
        let found = advance(self.all(), id, c);
        if advances.len() < MOST_KNOWN {
            advances.insert((id, c), found);
        }
        found
    }

    /// Chooses faces the same way while text is drawn.
    pub(crate) fn resolver(&self) -> FontResolver<'static> {
        let fonts = self.clone();
        FontResolver {
            select_font: FontResolver::default_font_selector(),
            select_fallback: Box::new(move |c, used, faces| {
                let base = faces.face(*used.first()?)?;
                let weight = if base.weight.0 > 500 { Weight::Bold } else { Weight::Regular };
                // The faces at hand may be the bundled ones alone: for a product picture.
                fonts.foreign(c, weight).map(|(id, _)| id).filter(|id| !used.contains(id) && faces.face(*id).is_some())
            }),
        }
    }
}

/// How little a face goes with the bundled ones.
fn unlikeness(face: &FaceInfo, weight: Weight) -> (u8, u16) {
    let named = |names: &[&str]| face.families.iter().any(|(family, _)| names.iter().any(|name| family.contains(name)));
    let mut unlike = 0;
    for (differs, by) in [
        (face.style != Style::Normal, 8),
        (named(&BOOKISH), 4),
        (face.monospaced, 2),
        (face.stretch != Stretch::Normal, 2),
        (named(&REGIONAL), 1),
    ] {
        unlike += if differs { by } else { 0 };
    }
    let wanted = if weight == Weight::Bold { 700 } else { 400 };
    (unlike, face.weight.0.abs_diff(wanted))
}

fn advance(faces: &Database, id: ID, c: char) -> Option<f32> {
    faces.with_face_data(id, |bytes, index| {
        let face = FontRef::from_index(bytes, index).ok()?;
        let glyph = face.charmap().map(c)?;
        face.glyph_metrics(Size::new(1.0), LocationRef::default()).advance_width(glyph)
    })?
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Variation selectors, joiners and skin tones shape their neighbours and have no glyph of their own.
fn joins(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}') || is_skin_tone(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_faces_have_what_is_drawn_most() {
        let fonts = Fonts::bundled();
        let text = "青瓷盖碗三件套龘饕餮剩件还满可用休息 Celadon ¥￥€£$₩ éüñß 0123456789 ，。、「」《》·…—“”★✓□×÷°℃№½①";
        let lacking: String = text.chars().filter(|c| !fonts.is_bundled(*c) && *c != '龘' && *c != '✓').collect();
        assert_eq!(lacking, "");
        assert!(fonts.0.all.get().is_none(), "system fonts are not read for bundled characters");
    }

    #[test]
    fn figures_are_equally_wide() {
        let fonts = Fonts::bundled();
        for weight in [Weight::Regular, Weight::Bold] {
            let widths: BTreeSet<u32> = ('0'..='9').map(|c| (fonts.width(&c.to_string(), weight) * 1000.0) as u32).collect();
            assert_eq!(widths.len(), 1, "a countdown must not shiver");
        }
        assert!((fonts.width("青瓷", Weight::Bold) - 2.0).abs() < 0.001);
    }

    #[test]
    fn a_character_nobody_has_is_a_counted_box() {
        let fonts = Fonts::bundled();
        // Unassigned for ever: noncharacters of the last plane that can hold text.
        assert_eq!(fonts.drawable("瓷\u{2fffe}\u{2fffe}器\u{2ffff}"), "瓷□□器□");
        assert_eq!(fonts.missing_glyphs(), 2, "different characters, not drawings");
        assert_eq!(fonts.drawable("青瓷 bowl"), "青瓷 bowl");
        assert_eq!(fonts.clone().missing_glyphs(), 2);
        assert_eq!(fonts.drawable("\u{2fffe}\u{200d}\u{fe0f}"), "□", "nothing is left to join");
    }

    #[test]
    fn a_system_face_is_chosen_by_its_looks() {
        let face = |family: &str, weight, monospaced| FaceInfo {
            id: ID::dummy(),
            source: Source::Binary(Arc::new(REGULAR)),
            index: 0,
            families: vec![(family.to_owned(), resvg::usvg::fontdb::Language::English_UnitedStates)],
            post_script_name: String::new(),
            style: Style::Normal,
            weight: resvg::usvg::fontdb::Weight(weight),
            stretch: Stretch::Normal,
            monospaced,
        };
        let mut faces = [
            face("Noto Serif CJK SC", 700, false),
            face("Noto Sans Mono CJK SC", 700, true),
            face("Noto Sans CJK JP", 700, false),
            face("Noto Sans CJK SC", 400, false),
            face("Noto Sans CJK SC", 700, false),
        ];
        faces.sort_by_key(|face| unlikeness(face, Weight::Bold));
        let order: Vec<(&str, u16)> = faces.iter().map(|face| (face.families[0].0.as_str(), face.weight.0)).collect();
        assert_eq!(
            order,
            [
                ("Noto Sans CJK SC", 700),
                ("Noto Sans CJK SC", 400),
                ("Noto Sans CJK JP", 700),
                ("Noto Sans Mono CJK SC", 700),
                ("Noto Serif CJK SC", 700)
            ]
        );
    }
}
