use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything the media side can say about itself. Each has a sentence in both languages in the UI and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthCode {
    /// `device`: the camera is gone or stopped delivering; the picture holds, then shows a slate.
    CameraLost,
    /// `device`: it delivers again.
    CameraBack,
    /// `device`: the microphone is gone or stopped delivering; silence is sent.
    MicLost,
    /// `device`: it delivers again.
    MicBack,
    /// `device`: its sound comes so late that none of it is heard. Repeated while it is so.
    MicLate,
    /// `host`, and as with all of a destination `id`: connection lost, trying again.
    DestinationLost,
    /// `host`: accepted again.
    DestinationBack,
    /// `host`, `reason` (`name` or `no_answer`): nobody answers there yet; tried for ever.
    DestinationUnreachable,
    /// `host`: accepted before and refused now: the platform still holds the old connection; tried each second for two minutes.
    DestinationHeld,
    /// `host`, `status`, `reason` (`key`, `on_air`, `address`, `certificate`, `closed`): the platform refused; not tried again.
    DestinationRefused,
    /// `host`: the link does not carry the stream, not even at a lower bitrate yet; frames may be dropped.
    DestinationSlow,
    /// `host`: it carries the stream again.
    DestinationCaughtUp,
    /// `host`, `percent`: the picture's bitrate was lowered to this share of its full one, which this link carries.
    PictureLowered,
    /// Every link carries the full bitrate again, or none is left that does not.
    PictureRestored,
    /// `path`: the disk is full; the recording so far is kept, the show goes on.
    RecordingStopped,
    /// `path`, `reason`: the recording could not be written.
    RecordingFailed,
    /// `path`: the disk takes the recording more slowly than it comes; what does not fit in memory any more will be missing in it.
    RecordingBehind,
    /// It takes it as it comes again.
    RecordingCaughtUp,
    /// `path`: the room on the disk is left to the recording; the clean feed so far is kept.
    CleanFeedStopped,
    /// `path`, `reason`: the clean feed could not be written; show and recording go on.
    CleanFeedFailed,
    /// `reason`: the picture for the viewer page cannot be written; destinations and recording go on.
    ViewersLost,
    /// `minutes`: room left for the recording.
    DiskLow,
    /// `minutes`, `percent`: so little room that the picture's bitrate was lowered to make it last.
    DiskSaving,
    /// There is room for the recording again.
    DiskEnough,
    /// `name`, `minutes`: a recording that was cut off last time is whole again.
    RecordingRepaired,
    /// `from`, `to`: an encoder failed and another took over; the show goes on.
    EncoderReplaced,
    /// `from`, `to`: a call into an encoder never came back and another took over; the show goes on.
    EncoderHung,
    /// `percent`: the machine runs on its battery.
    OnBattery,
    /// `percent`: half an hour or a fifth of the battery is left; again at a tenth and at a twentieth.
    BatteryLow,
    /// The power supply is back.
    PowerBack,
    /// The system refuses to keep the machine awake: it may fall asleep in the midst of the show.
    NotKeptAwake,
    /// The encoder cannot keep up; frames are skipped.
    EncoderBehind,
    /// The machine cannot compose, or decode a file, in time; frames are late.
    ProgramLate,
    /// `part`: a part crashed and was started again.
    PartRestarted,
    /// The media process died and was started again; `gap_ms` without a picture.
    EngineRestarted,
    /// The media process crashed again and again: the new one goes on with the show and did not open its sources.
    SourcesSpared,
    /// The media process died, and the new one could not take up the show: it is over.
    ShowLost,
    /// The show ended while this program stood still and could not be told.
    ShowEnded,
    /// The local shop died and was started again.
    ShopRestarted,
    /// `count`: characters that no font on this machine has.
    MissingGlyphs,
}

/// One event about the state of the show's machinery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What happened.
    pub code: HealthCode,
    /// Values for the sentence, by the names in [`HealthCode`]. Never a secret.
    pub params: BTreeMap<String, String>,
}

impl Health {
    /// An event without values.
    #[must_use]
    pub const fn new(code: HealthCode) -> Self {
        Self { code, params: BTreeMap::new() }
    }

    /// Adds one value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }
}
