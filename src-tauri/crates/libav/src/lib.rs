//! libav
