//! AAC-LC in stereo, at the cost of one channel where both are the same.
//!
//! Most sellers speak into one microphone, and then left and right are one sound. libavcodec's encoder still searches both:
//! half of its time. Here such sound is encoded as one channel, and the packet is written again as the pair that decodes to
//! it twice ([`alike`]). Where the channels part, an encoder of both takes over, without a seam ([`Channels`]).

mod alike;
mod bits;
mod channels;
mod coder;

pub(crate) use channels::Channels;
pub(crate) use coder::Coded;
