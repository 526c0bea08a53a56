use crate::Target;
use bytes::{BufMut, Bytes, BytesMut};
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, RtmpMessage, UserControlEventType};
use rml_rtmp::rml_amf0::{self, Amf0Value};
use rml_rtmp::time::RtmpTimestamp;
use stallcast_media::{Packet, Pts, StreamConfig, Track};
use std::collections::HashMap;
use std::fmt::Display;
use thiserror::Error;

/// Payload bytes of one chunk: what OBS uses everywhere.
const CHUNK: u32 = 4096;
/// Longer commands are no answers to ours; their nesting would be recursion.
const LONGEST_COMMAND: usize = 8 << 10;
/// What servers know as a publishing encoder.
const FLASH_VERSION: &str = "FMLE/3.0 (compatible; FMSc/1.0)";

const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE: f64 = 4.0;
const PUBLISH: f64 = 5.0;

/// The server does not speak RTMP, or we cannot. Never holds a secret.
#[derive(Debug, Error)]
#[error("RTMP: {0}")]
pub(super) struct ProtocolError(String);

impl ProtocolError {
    /// Reading what the server sent failed inside.
    pub fn fault() -> Self {
        Self("fault while reading".to_owned())
    }
}

fn protocol(error: impl Display) -> ProtocolError {
    ProtocolError(error.to_string())
}

/// How far a publication has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Handshake,
    Connect,
    Create,
    /// The server has been told the key.
    Publish,
    /// It said `NetStream.Publish.Start`.
    Live,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Media may be sent.
    Live,
    /// It refuses, or ends what it had accepted: its status code.
    Refused(String),
}

/// The client side of one RTMP publication, without a socket: bytes in, bytes out.
///
/// Built on the chunk and message layers of `rml_rtmp` instead of its session: that one hides the status code of a
/// refused connection and acknowledges wrong counts.
pub(super) struct Session {
    target: Target,
    stage: Stage,
    handshake: Handshake,
    reader: ChunkDeserializer,
    writer: ChunkSerializer,
    /// To be sent, in order.
    pub out: Vec<u8>,
    stream: u32,
    /// For acknowledgements: what has come, what we have said of it, what the server wants to hear of.
    received: u64,
    acknowledged: u64,
    window: u64,
    last_video: Option<u32>,
    last_audio: Option<u32>,
}

/// Types of messages, RTMP specification 7.1.1.
const AMF0_COMMAND: u8 = 20;
const AMF3_COMMAND: u8 = 17;

/// Name, transaction and arguments of a command. Real servers leave out what the specification has: ffmpeg's says `onFCPublish` and
/// nothing else, on which the protocol crate panics. Without a transaction it answers nothing.
fn command_of(payload: &MessagePayload) -> Option<(String, f64, Vec<Amf0Value>)> {
    // What calls itself AMF3 is AMF0 behind a zero.
    let skipped = usize::from(payload.type_id == AMF3_COMMAND && payload.data.first() == Some(&0));
    let mut values = rml_amf0::deserialize(&mut payload.data.get(skipped..)?).ok()?.into_iter();
    let Some(Amf0Value::Utf8String(name)) = values.next() else { return None };
    let transaction = match values.next() {
        Some(Amf0Value::Number(number)) => number,
        _ => 0.0,
    };
    // The command's own object is nothing to us.
    Some((name, transaction, values.skip(1).collect()))
}

impl Session {
    pub fn new(target: Target) -> Result<Self, ProtocolError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake.generate_outbound_p0_and_p1().map_err(protocol)?;
        Ok(Self {
            target,
            stage: Stage::Handshake,
            handshake,
            reader: ChunkDeserializer::new(),
            writer: ChunkSerializer::new(),
            out,
            stream: 0,
            received: 0,
            acknowledged: 0,
            window: 0,
            last_video: None,
            last_audio: None,
        })
    }

    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Takes what the server sent.
    pub fn input(&mut self, bytes: &[u8]) -> Result<Option<News>, ProtocolError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.stage == Stage::Handshake {
            return match self.handshake.process_bytes(bytes).map_err(protocol)? {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.out.extend(response_bytes);
                    Ok(None)
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.out.extend(response_bytes);
                    self.connect()?;
                    self.input(&remaining_bytes)
                }
            };
        }
        self.received += bytes.len() as u64;
        let mut news = None;
        let mut next = bytes;
        while let Some(payload) = self.reader.get_next_message(next).map_err(protocol)? {
            next = &[];
            if payload.data.len() > LONGEST_COMMAND {
                continue;
            }
            // A message we cannot read is not for us.
            match payload.type_id {
                AMF0_COMMAND | AMF3_COMMAND => {
                    let Some((name, transaction, arguments)) = command_of(&payload) else { continue };
                    news = self.command(&name, transaction, arguments)?.or(news);
                }
                _ => {
                    let Ok(message) = payload.to_rtmp_message() else { continue };
                    self.message(message)?;
                }
            }
        }
        if self.window > 0 && self.received - self.acknowledged >= self.window {
            self.acknowledged = self.received;
            // The count wraps at 32 bits, as the protocol says.
            self.control(RtmpMessage::Acknowledgement { sequence_number: (self.received & 0xFFFF_FFFF) as u32 })?;
        }
        Ok(news)
    }

    fn message(&mut self, message: RtmpMessage) -> Result<(), ProtocolError> {
        match message {
            RtmpMessage::SetChunkSize { size } => self.reader.set_max_chunk_size(size as usize).map_err(protocol)?,
            RtmpMessage::WindowAcknowledgement { size } => self.window = u64::from(size),
            RtmpMessage::SetPeerBandwidth { size, .. } => self.control(RtmpMessage::WindowAcknowledgement { size })?,
            RtmpMessage::UserControl { event_type: UserControlEventType::PingRequest, timestamp, .. } => {
                let pong = RtmpMessage::UserControl {
                    event_type: UserControlEventType::PingResponse,
                    stream_id: None,
                    buffer_length: None,
                    timestamp,
                };
                self.control(pong)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, name: &str, transaction: f64, arguments: Vec<Amf0Value>) -> Result<Option<News>, ProtocolError> {
        let first = arguments.into_iter().next();
        let (code, level) = status(first.as_ref());
        let is = |t: f64| (transaction - t).abs() < 0.5;
        match name {
            "_result" if is(CONNECT) && self.stage == Stage::Connect => self.create()?,
            "_result" if is(CREATE) && self.stage == Stage::Create => {
                let Some(Amf0Value::Number(id)) = first else { return Err(protocol("no stream number")) };
                if !(0.0..=f64::from(u32::MAX)).contains(&id) {
                    return Err(protocol("impossible stream number"));
                }
                self.stream = id as u32;
                self.publish()?;
            }
            "_error" if is(CONNECT) => return Ok(Some(self.refused(code, "NetConnection.Connect.Rejected"))),
            "_error" if is(CREATE) => return Ok(Some(self.refused(code, "NetConnection.Call.Failed"))),
            "_error" if is(PUBLISH) => return Ok(Some(self.refused(code, "NetStream.Publish.Rejected"))),
            "onStatus" => match code {
                Some("NetStream.Publish.Start") if self.stage == Stage::Publish => {
                    self.stage = Stage::Live;
                    return Ok(Some(News::Live));
                }
                Some(c) if level == Some("error") || is_refusal(c) => return Ok(Some(self.refused(code, "NetStream.Failed"))),
                None if level == Some("error") => return Ok(Some(self.refused(None, "NetStream.Failed"))),
                _ => {}
            },
            "close" => return Ok(Some(News::Refused("NetConnection.Connect.Closed".to_owned()))),
            _ => {}
        }
        Ok(None)
    }

    /// The server's words are a stranger's: only what a status code is made of, and never the key, should it repeat it.
    fn refused(&self, code: Option<&str>, otherwise: &str) -> News {
        let good = |c: &&str| {
            c.len() <= 64 && c.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && !c.contains(self.target.key())
        };
        News::Refused(code.filter(good).filter(|c| !c.is_empty()).unwrap_or(otherwise).to_owned())
    }

    fn connect(&mut self) -> Result<(), ProtocolError> {
        let text = |t: &str| Amf0Value::Utf8String(t.to_owned());
        let properties = HashMap::from([
            ("app".to_owned(), text(self.target.app())),
            ("type".to_owned(), text("nonprivate")),
            ("flashVer".to_owned(), text(FLASH_VERSION)),
            ("swfUrl".to_owned(), text(self.target.tc_url())),
            ("tcUrl".to_owned(), text(self.target.tc_url())),
        ]);
        self.stage = Stage::Connect;
        self.call("connect", CONNECT, Amf0Value::Object(properties), vec![], 0)
    }

    fn create(&mut self) -> Result<(), ProtocolError> {
        let larger = self.writer.set_max_chunk_size(CHUNK, RtmpTimestamp::new(0)).map_err(protocol)?;
        self.out.extend(larger.bytes);
        let key = Amf0Value::Utf8String(self.target.key().to_owned());
        self.stage = Stage::Create;
        self.call("releaseStream", RELEASE, Amf0Value::Null, vec![key.clone()], 0)?;
        self.call("FCPublish", FC_PUBLISH, Amf0Value::Null, vec![key], 0)?;
        self.call("createStream", CREATE, Amf0Value::Null, vec![], 0)
    }

    fn publish(&mut self) -> Result<(), ProtocolError> {
        let key = Amf0Value::Utf8String(self.target.key().to_owned());
        self.stage = Stage::Publish;
        self.call("publish", PUBLISH, Amf0Value::Null, vec![key, Amf0Value::Utf8String("live".to_owned())], self.stream)
    }

    /// Ends the publication.
    pub fn close(&mut self) -> Result<(), ProtocolError> {
        if self.stage < Stage::Publish {
            return Ok(());
        }
        let key = Amf0Value::Utf8String(self.target.key().to_owned());
        self.call("FCUnpublish", 0.0, Amf0Value::Null, vec![key], 0)?;
        self.call("deleteStream", 0.0, Amf0Value::Null, vec![Amf0Value::Number(f64::from(self.stream))], 0)
    }

    fn call(
        &mut self,
        name: &str,
        transaction_id: f64,
        object: Amf0Value,
        arguments: Vec<Amf0Value>,
        stream: u32,
    ) -> Result<(), ProtocolError> {
        let command = RtmpMessage::Amf0Command {
            command_name: name.to_owned(),
            transaction_id,
            command_object: object,
            additional_arguments: arguments,
        };
        let payload = command.into_message_payload(RtmpTimestamp::new(0), stream).map_err(protocol)?;
        self.send(&payload)
    }

    fn control(&mut self, message: RtmpMessage) -> Result<(), ProtocolError> {
        let payload = message.into_message_payload(RtmpTimestamp::new(0), 0).map_err(protocol)?;
        self.send(&payload)
    }

    fn send(&mut self, payload: &MessagePayload) -> Result<(), ProtocolError> {
        let packet = self.writer.serialize(payload, false, false).map_err(protocol)?;
        if self.out.is_empty() {
            self.out = packet.bytes
        } else {
            self.out.extend_from_slice(&packet.bytes)
        }
        Ok(())
    }

    /// What a player must know before the first packet.
    pub fn headers(&mut self, config: &StreamConfig) -> Result<(), ProtocolError> {
        let number = |n: u32| Amf0Value::Number(f64::from(n));
        let (video, audio) = (&config.video, &config.audio);
        let properties = [
            ("width", number(video.width)),
            ("height", number(video.height)),
            ("framerate", number(video.fps)),
            ("videocodecid", number(7)),
            ("videodatarate", number(video.kbps)),
            ("audiocodecid", number(10)),
            ("audiodatarate", number(audio.kbps)),
            ("audiosamplerate", number(audio.rate)),
            ("audiosamplesize", number(16)),
            ("audiochannels", number(audio.channels.into())),
            ("stereo", Amf0Value::Boolean(audio.channels == 2)),
            ("encoder", Amf0Value::Utf8String(concat!("Stallcast ", env!("CARGO_PKG_VERSION")).to_owned())),
        ];
        let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let name = |n: &str| Amf0Value::Utf8String(n.to_owned());
        let metadata = RtmpMessage::Amf0Data { values: vec![name("@setDataFrame"), name("onMetaData"), Amf0Value::Object(properties)] };
        // In the middle of a publication: not back to its beginning.
        let (picture, sound) = (self.last_video.unwrap_or(0), self.last_audio.unwrap_or(0));
        let payload = metadata.into_message_payload(RtmpTimestamp::new(picture), self.stream).map_err(protocol)?;
        self.send(&payload)?;
        self.media(Track::Video, picture, tag(&[0x17, 0, 0, 0, 0], &video.avcc))?;
        self.media(Track::Audio, sound, tag(&[0xAF, 0], &audio.asc))
    }

    /// One packet. `origin` is the offset of both tracks: time 0 of this publication.
    pub fn packet(&mut self, packet: &Packet, origin: Pts) -> Result<(), ProtocolError> {
        let ms = |at: Pts| u32::try_from(Pts(at - origin).as_ms()).unwrap_or(0);
        if packet.track == Track::Audio {
            let at = self.last_audio.map_or(0, |last| last + 1).max(ms(packet.dts));
            self.last_audio = Some(at);
            return self.media(Track::Audio, at, tag(&[0xAF, 1], &packet.payload));
        }
        // FLV has whole milliseconds: rounding must not make two decoding times equal.
        let at = self.last_video.map_or(0, |last| last + 1).max(ms(packet.dts));
        self.last_video = Some(at);
        let [_, hi, mid, lo] = ms(packet.pts).saturating_sub(at).to_be_bytes();
        self.media(Track::Video, at, tag(&[if packet.keyframe { 0x17 } else { 0x27 }, 1, hi, mid, lo], &packet.payload))
    }

    fn media(&mut self, track: Track, ms: u32, data: Bytes) -> Result<(), ProtocolError> {
        let type_id = if track == Track::Video { 9 } else { 8 };
        self.send(&MessagePayload { timestamp: RtmpTimestamp::new(ms), type_id, message_stream_id: self.stream, data })
    }
}

fn tag(head: &[u8], body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(head.len() + body.len());
    out.put_slice(head);
    out.put_slice(body);
    out.freeze()
}

/// `code` and `level` of an information object.
fn status(object: Option<&Amf0Value>) -> (Option<&str>, Option<&str>) {
    let Some(Amf0Value::Object(properties)) = object else { return (None, None) };
    let text = |name| match properties.get(name) {
        Some(Amf0Value::Utf8String(text)) => Some(text.as_str()),
        _ => None,
    };
    (text("code"), text("level"))
}

/// Codes that mean no, whatever their level says.
fn is_refusal(code: &str) -> bool {
    ["BadName", "BadConnection", "Denied", "Rejected", "Failed", "Unauthorized", "Closed", "InvalidApp", "Unpublish.Success"]
        .iter()
        .any(|word| code.contains(word))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
