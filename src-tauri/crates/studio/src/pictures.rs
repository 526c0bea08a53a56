//! Product pictures that were read lately, so that a card comes into the picture at once and a window scrolls without
//! asking the shop.

use bytes::Bytes;
use stallcast_model::Product;
use std::collections::VecDeque;

/// Most bytes kept; the oldest go first.
const MOST_BYTES: usize = 24 << 20;

/// A picture with its type.
pub(crate) type TypedPicture = (String, Bytes);

/// Product and address: another picture has another address.
type Key = (String, String);

/// The kept pictures. Not shared by itself: its owner guards it.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    kept: VecDeque<(Key, TypedPicture)>,
    bytes: usize,
}

fn key(product: &Product) -> Option<Key> {
    Some((product.id.to_string(), product.picture.clone()?))
}

impl Pictures {
    pub(crate) fn get(&self, product: &Product) -> Option<TypedPicture> {
        let key = key(product)?;
        self.kept.iter().find(|(k, _)| *k == key).map(|(_, picture)| picture.clone())
    }

    /// Could another one be kept without letting one go?
    pub(crate) const fn has_room(&self) -> bool {
        self.bytes < MOST_BYTES / 2
    }

    pub(crate) fn put(&mut self, product: &Product, picture: TypedPicture) {
        let Some(key) = key(product) else { return };
        // The picture before it is of no use any more.
        self.forget(&key.0);
        self.bytes += picture.1.len();
        self.kept.push_back((key, picture));
        while self.bytes > MOST_BYTES
            && let Some((_, (_, old))) = self.kept.pop_front()
        {
            self.bytes -= old.len();
        }
    }

    fn forget(&mut self, product: &str) {
        let bytes = &mut self.bytes;
        self.kept.retain(|((id, _), (_, old))| {
            let stays = id != product;
            *bytes -= if stays { 0 } else { old.len() };
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_model::ProductId;

    fn product(id: usize, address: &str) -> Product {
        Product {
            id: ProductId::new(id.to_string()),
            title: "t".to_owned(),
            picture: Some(address.to_owned()),
            skus: Vec::new(),
            confirmed_at_ms: 0,
        }
    }

    #[test]
    fn a_changed_picture_is_another_one_and_memory_is_bounded() {
        let mut pictures = Pictures::default();
        let picture = |n: usize| ("image/png".to_owned(), Bytes::from(vec![0; n]));
        pictures.put(&product(1, "a"), picture(5));
        assert_eq!(pictures.get(&product(1, "a")), Some(picture(5)));
        assert_eq!(pictures.get(&product(1, "b")), None);
        pictures.put(&product(1, "b"), picture(6));
        assert_eq!((pictures.get(&product(1, "a")), pictures.bytes), (None, 6));
        for n in 0..100 {
            pictures.put(&product(n, "x"), picture(1 << 20));
        }
        assert!(pictures.bytes <= MOST_BYTES && !pictures.has_room());
        assert!(pictures.get(&product(99, "x")).is_some() && pictures.get(&product(0, "x")).is_none(), "the oldest go first");
        let total: usize = pictures.kept.iter().map(|(_, (_, b))| b.len()).sum();
        assert_eq!(total, pictures.bytes);
    }
}
