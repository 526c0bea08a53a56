//! What pages may ask for, a file for each panel. Each command is one call of the studio.

pub(crate) mod bag;
pub(crate) mod comments;
pub(crate) mod coupons;
pub(crate) mod destinations;
pub(crate) mod orders;
pub(crate) mod settings;
pub(crate) mod shops;
pub(crate) mod show;
pub(crate) mod sources;
pub(crate) mod windows;
