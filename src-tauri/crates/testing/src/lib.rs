//! Instruments and fakes of the tests and benchmarks.
//!
//! Owns: the marker clip and its analyser, packet reader, ingest, fault proxy, program runner, browser, imitation devices and
//! the search for leaked secrets. Must never know: any crate of the product. What measures must not share the code, and
//! so the mistakes, of what is measured: media is read with the ffmpeg command line, databases with `sqlite3`, pages with a
//! browser; what little of RTMP and FLV is needed besides is spoken and read here.

pub mod analysis;
pub mod browser;
pub mod canary;
pub mod clip;
pub mod comeback;
pub mod decode;
pub mod devices;
pub mod disk;
pub mod fault_proxy;
pub mod figures;
pub mod flv;
pub mod http;
pub mod ingest;
pub mod marker;
pub mod overlay;
pub mod packets;
pub mod ports;
pub mod processes;
pub mod program;
mod refusal;
pub mod shop;
pub mod slow_link;
pub mod slow_show;
