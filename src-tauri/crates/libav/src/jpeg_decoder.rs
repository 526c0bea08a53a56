use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use ffmpeg_next::ffi;

/// No camera is larger; a damaged header may claim anything.
const MOST_PIXELS: i64 = 8192 * 8192;

/// Motion JPEG, one picture in, one out.
#[derive(Debug)]
pub(crate) struct JpegDecoder {
    codec: Codec,
    packet: AvPacket,
    frame: AvFrame,
}

impl JpegDecoder {
    pub(crate) fn open() -> Result<Self, LibavError> {
        let mut codec = Codec::decoder(ffi::AVCodecID::AV_CODEC_ID_MJPEG)?;
        codec.thread_count = 1;
        codec.flags |= ffi::AV_CODEC_FLAG_LOW_DELAY as i32;
        // Half a picture is worse than the whole one before it.
        codec.err_recognition = ffi::AV_EF_EXPLODE;
        codec.max_pixels = MOST_PIXELS;
        codec.open(&[])?;
        Ok(Self { codec, packet: AvPacket::new()?, frame: AvFrame::new()? })
    }

    /// Decodes one JPEG. A damaged one leaves no trace: the next may follow at once.
    pub(crate) fn decode(&mut self, jpeg: &[u8]) -> Result<&AvFrame, LibavError> {
        self.packet.fill(jpeg)?;
        let decoded = self.codec.send_packet(Some(&self.packet)).and_then(|()| self.codec.receive_frame(&mut self.frame));
        match decoded {
            Ok(true) if self.frame.decode_error_flags == 0 => Ok(&self.frame),
            Ok(_) => {
                self.codec.flush();
                Err(LibavError::Damaged("no whole picture".to_owned()))
            }
            Err(e) => {
                self.codec.flush();
                Err(LibavError::Damaged(e.to_string()))
            }
        }
    }
}
