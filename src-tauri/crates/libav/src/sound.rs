//! Decoded sound of any kind as 48 kHz stereo.
#![expect(unsafe_code, reason = "libswresample is C")]

use crate::LibavError;
use crate::codec::{AvFrame, check};
use ffmpeg_next::ffi::{self, AVSampleFormat};
use stallcast_media::{AudioBlock, NANOS_PER_MS, Pts, SAMPLE_RATE};
use std::ffi::c_int;
use std::ptr;

/// Stamps that differ less from the count of samples are rounding (FLV has whole milliseconds); more is a hole.
const SLACK: i64 = 3 * NANOS_PER_MS;

/// Rate, sample format, channels.
type Kind = (c_int, c_int, c_int);

/// Resamples, and counts samples so that instants do not jitter.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    open: Option<Run>,
}

/// Sound without a hole in it.
#[derive(Debug)]
struct Run {
    kind: Kind,
    context: Context,
    start: Pts,
    /// Sample frames taken, at the rate of the source.
    taken: i64,
    /// Sample frames given.
    given: i64,
}

#[derive(Debug)]
struct Context(*mut ffi::SwrContext);

// SAFETY: a resampler is bound to no thread.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { ffi::swr_free(&raw mut self.0) };
    }
}

impl Sound {
    /// Takes one decoded frame and gives what is ready. `at` is its instant, if the file tells one.
    pub(crate) fn take(&mut self, frame: &AvFrame, at: Option<Pts>) -> Result<Vec<AudioBlock>, LibavError> {
        let kind = (frame.sample_rate, frame.format, frame.ch_layout.nb_channels);
        let mut blocks = vec![];
        let goes_on = self.open.as_ref().is_some_and(|run| run.kind == kind && at.is_none_or(|at| (at - run.expected()).abs() <= SLACK));
        if !goes_on {
            let expected = self.open.as_ref().map(Run::expected);
            blocks.extend(self.finish()?);
            self.open = Some(Run::new(kind, frame, at.or(expected).unwrap_or_default())?);
        }
        if let Some(run) = &mut self.open {
            blocks.extend(run.convert(Some(frame))?);
        }
        Ok(blocks)
    }

    /// What the resampler still holds; the next frame starts afresh.
    pub(crate) fn finish(&mut self) -> Result<Option<AudioBlock>, LibavError> {
        self.open.take().map_or(Ok(None), |mut run| run.convert(None))
    }

    /// Forgets everything before a jump.
    pub(crate) fn reset(&mut self) {
        self.open = None;
    }
}

impl Run {
    fn new(kind: Kind, frame: &AvFrame, start: Pts) -> Result<Self, LibavError> {
        let (rate, format, channels) = kind;
        let unsupported = || LibavError::Unsupported { what: "sound", detail: format!("{rate} Hz, {channels} channels, format {format}") };
        let known = (0..AVSampleFormat::AV_SAMPLE_FMT_NB as c_int).contains(&format);
        if !known || !(1..=1_000_000).contains(&rate) || !(1..=64).contains(&channels) {
            return Err(unsupported());
        }
        let mut context = ptr::null_mut();
        // SAFETY: the format is one of libav's, whose numbers have no holes; the layouts live during the calls, libav copies
        // them, and those made here need no freeing (they are masks).
        let code = unsafe {
            let format = std::mem::transmute::<c_int, AVSampleFormat>(format);
            let (mut from, mut to) = (std::mem::zeroed::<ffi::AVChannelLayout>(), std::mem::zeroed::<ffi::AVChannelLayout>());
            // One channel is copied to both sides later: libav would make it 3 dB softer.
            ffi::av_channel_layout_default(&raw mut to, channels.min(2));
            let layout = if frame.ch_layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE {
                (&raw const frame.ch_layout).cast_mut()
            } else {
                ffi::av_channel_layout_default(&raw mut from, channels);
                &raw mut from
            };
            let out = (AVSampleFormat::AV_SAMPLE_FMT_FLT, SAMPLE_RATE as c_int);
            ffi::swr_alloc_set_opts2(&raw mut context, &raw mut to, out.0, out.1, layout, format, rate, 0, ptr::null_mut())
        };
        let context = Context(context);
        if code < 0 || context.0.is_null() {
            return Err(unsupported());
        }
        // SAFETY: allocated above. More channels folded into two must not become louder than full scale.
        let ready = unsafe {
            ffi::av_opt_set_double(context.0.cast(), c"rematrix_maxval".as_ptr(), 1.0, 0);
            ffi::swr_init(context.0)
        };
        if ready < 0 { Err(unsupported()) } else { Ok(Self { kind, context, start, taken: 0, given: 0 }) }
    }

    /// Instant of the next frame if nothing is missing.
    fn expected(&self) -> Pts {
        self.start + Pts::from_ticks(self.taken, self.kind.0.unsigned_abs()).0
    }

    fn convert(&mut self, frame: Option<&AvFrame>) -> Result<Option<AudioBlock>, LibavError> {
        let channels = self.kind.2.min(2) as usize;
        let count = frame.map_or(0, |frame| frame.nb_samples);
        let input = frame.map_or(ptr::null_mut(), |frame| frame.extended_data.cast::<*const u8>());
        // SAFETY: initialised in `new`.
        let room = check("resample", unsafe { ffi::swr_get_out_samples(self.context.0, count) })?;
        let mut samples = vec![0.0_f32; room as usize * channels];
        let mut out = samples.as_mut_ptr().cast::<u8>();
        // SAFETY: the input has as many planes and samples as the kind and `count` say; the output holds `room` sample frames.
        let made = check("resample", unsafe { ffi::swr_convert(self.context.0, &raw mut out, room, input, count) })?;
        samples.truncate(made as usize * channels);
        if channels == 1 {
            samples = samples.iter().flat_map(|one| [*one; 2]).collect();
        }
        let pts = self.start + Pts::from_ticks(self.given, SAMPLE_RATE).0;
        self.taken += i64::from(count);
        self.given += i64::from(made);
        Ok((made > 0).then_some(AudioBlock { pts, rate: SAMPLE_RATE, channels: 2, samples }))
    }
}
