use super::*;
use rml_rtmp::sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult};

const KEY: &str = "canary?sign=a/b";

fn session() -> Session {
    let target = Target::parse("1", "rtmp://host/live/sub", Some(KEY));
    Session::new(target.unwrap_or_else(|e| panic!("{e}"))).unwrap_or_else(|e| panic!("{e}"))
}

/// A server's handshake, then its session answering everything with yes.
struct Server {
    handshake: Option<Handshake>,
    session: ServerSession,
    events: Vec<ServerSessionEvent>,
}

impl Server {
    fn new() -> (Self, Vec<u8>) {
        let (session, first) = ServerSession::new(ServerSessionConfig::new()).unwrap_or_else(|e| panic!("{e}"));
        let mut server = Self { handshake: Some(Handshake::new(PeerType::Server)), session, events: vec![] };
        let out = server.results(first);
        (server, out)
    }

    fn results(&mut self, results: Vec<ServerSessionResult>) -> Vec<u8> {
        let mut out = vec![];
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => out.extend(packet.bytes),
                ServerSessionResult::RaisedEvent(event) => {
                    if let ServerSessionEvent::ConnectionRequested { request_id, .. }
                    | ServerSessionEvent::PublishStreamRequested { request_id, .. } = &event
                    {
                        let more = self.session.accept_request(*request_id).unwrap_or_else(|e| panic!("{e}"));
                        out.extend(self.results(more));
                    }
                    self.events.push(event);
                }
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        out
    }

    fn input(&mut self, bytes: &[u8], early: &mut Vec<u8>) -> Vec<u8> {
        let Some(handshake) = &mut self.handshake else {
            let results = self.session.handle_input(bytes).unwrap_or_else(|e| panic!("{e}"));
            return self.results(results);
        };
        match handshake.process_bytes(bytes).unwrap_or_else(|e| panic!("{e}")) {
            HandshakeProcessResult::InProgress { response_bytes } => response_bytes,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                self.handshake = None;
                let mut out = response_bytes;
                out.append(early);
                out.extend(self.input(&remaining_bytes, early));
                out
            }
        }
    }
}

/// Runs both until the client has nothing more to say. Bytes travel in crumbs of `crumb`.
fn talk(client: &mut Session, server: &mut Server, mut early: Vec<u8>, crumb: usize) -> Vec<News> {
    let mut news = vec![];
    while !client.out.is_empty() {
        let out = std::mem::take(&mut client.out);
        for piece in out.chunks(crumb) {
            let answer = server.input(piece, &mut early);
            for piece in answer.chunks(crumb) {
                news.extend(client.input(piece).unwrap_or_else(|e| panic!("{e}")));
            }
        }
    }
    news
}

fn said(type_id: u8, data: Vec<u8>) -> Vec<u8> {
    let payload = MessagePayload { timestamp: RtmpTimestamp::new(0), type_id, message_stream_id: 0, data: Bytes::from(data) };
    ChunkSerializer::new().serialize(&payload, true, false).unwrap_or_else(|e| panic!("{e}")).bytes
}

#[test]
fn a_command_of_a_name_alone_is_nothing_and_what_follows_is_understood() {
    let text = |t: &str| Amf0Value::Utf8String(t.to_owned());
    let bytes = |values: &[Amf0Value]| rml_amf0::serialize(&values.to_vec()).unwrap_or_else(|e| panic!("{e}"));
    for type_id in [AMF0_COMMAND, AMF3_COMMAND] {
        let zero = if type_id == AMF3_COMMAND { vec![0] } else { vec![] };
        let mut client = session();
        (client.stage, client.out) = (Stage::Create, vec![]);
        for short in [vec![], vec![text("onFCPublish")], vec![text("onFCPublish"), Amf0Value::Number(0.0)], vec![Amf0Value::Null]] {
            let news = client.input(&said(type_id, [zero.clone(), bytes(&short)].concat())).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((news, client.stage), (None, Stage::Create), "{short:?}");
        }
        let created = [text("_result"), Amf0Value::Number(CREATE), Amf0Value::Null, Amf0Value::Number(1.0)];
        client.input(&said(type_id, [zero, bytes(&created)].concat())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(client.stage, Stage::Publish);
    }
}

fn packet(track: Track, ms: f64, cts_ms: f64, keyframe: bool) -> Packet {
    let at = |ms: f64| Pts((ms * 1e6) as i64);
    Packet {
        track,
        pts: at(ms + cts_ms),
        dts: at(ms),
        duration: 0,
        keyframe,
        disposable: false,
        payload: Bytes::from(vec![7; 9000]),
        config: None,
    }
}

#[test]
fn it_publishes_and_the_server_gets_every_packet_with_its_time() {
    let mut client = session();
    let (mut server, early) = Server::new();
    assert_eq!(talk(&mut client, &mut server, early, 777), [News::Live]);
    let wanted = server.events.iter().find_map(|e| match e {
        ServerSessionEvent::PublishStreamRequested { app_name, stream_key, .. } => Some((app_name.clone(), stream_key.clone())),
        _ => None,
    });
    assert_eq!(wanted, Some(("live/sub".to_owned(), KEY.to_owned())));

    server.events.clear();
    let video = stallcast_media::VideoConfig { width: 720, height: 1280, fps: 30, kbps: 2500, avcc: Bytes::from_static(&[1, 2, 3]) };
    let audio =
        stallcast_media::AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc: Bytes::from_static(&[0x11, 0x90]), priming: 1024 };
    client.headers(&StreamConfig { video, audio }).unwrap_or_else(|e| panic!("{e}"));
    let origin = Pts((-200.0 / 3.0 * 1e6) as i64);
    for n in 0..5 {
        let dts = f64::from(n - 2) * 100.0 / 3.0;
        client.packet(&packet(Track::Video, dts, 200.0 / 3.0, n == 0), origin).unwrap_or_else(|e| panic!("{e}"));
        client.packet(&packet(Track::Audio, dts, 0.0, true), origin).unwrap_or_else(|e| panic!("{e}"));
    }
    talk(&mut client, &mut server, vec![], usize::MAX);
    let mut times = (vec![], vec![]);
    for event in &server.events {
        match event {
            ServerSessionEvent::VideoDataReceived { data, timestamp, .. } => {
                times.0.push((timestamp.value, data[0], data[1], data[4], data.len()))
            }
            ServerSessionEvent::AudioDataReceived { data, timestamp, .. } => times.1.push((timestamp.value, data[0], data[1])),
            ServerSessionEvent::StreamMetadataChanged { metadata, .. } => {
                assert_eq!(
                    (metadata.video_width, metadata.video_height, metadata.audio_sample_rate),
                    (Some(720), Some(1280), Some(48_000))
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(times.0[0], (0, 0x17, 0, 0, 8), "the decoder's configuration comes first");
    assert_eq!(
        times.0[1..],
        [(0, 0x17, 1, 67, 9005), (33, 0x27, 1, 67, 9005), (67, 0x27, 1, 66, 9005), (100, 0x27, 1, 67, 9005), (133, 0x27, 1, 67, 9005)]
    );
    assert_eq!(times.1, [(0, 0xAF, 0), (0, 0xAF, 1), (33, 0xAF, 1), (67, 0xAF, 1), (100, 0xAF, 1), (133, 0xAF, 1)]);

    server.events.clear();
    client.close().unwrap_or_else(|e| panic!("{e}"));
    talk(&mut client, &mut server, vec![], usize::MAX);
    assert!(server.events.iter().any(|e| matches!(e, ServerSessionEvent::PublishStreamFinished { .. })), "{:?}", server.events);
}

/// A client whose handshake is done, and a server's chunk writer.
fn connected() -> (Session, ChunkSerializer) {
    let mut client = session();
    let (mut server, _) = Server::new();
    let answer = server.input(&std::mem::take(&mut client.out), &mut vec![]);
    client.input(&answer).unwrap_or_else(|e| panic!("{e}"));
    (client, ChunkSerializer::new())
}

fn say(client: &mut Session, writer: &mut ChunkSerializer, name: &str, transaction_id: f64, object: &[(&str, &str)]) -> Option<News> {
    let object = object.iter().map(|(k, v)| ((*k).to_owned(), Amf0Value::Utf8String((*v).to_owned()))).collect();
    let arguments = if name == "_result" && transaction_id > 1.0 { vec![Amf0Value::Number(1.0)] } else { vec![Amf0Value::Object(object)] };
    let message = RtmpMessage::Amf0Command {
        command_name: name.to_owned(),
        transaction_id,
        command_object: Amf0Value::Null,
        additional_arguments: arguments,
    };
    let payload = message.into_message_payload(RtmpTimestamp::new(0), 0).unwrap_or_else(|e| panic!("{e}"));
    let bytes = writer.serialize(&payload, true, false).unwrap_or_else(|e| panic!("{e}")).bytes;
    client.input(&bytes).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_refusal_keeps_the_servers_own_code() {
    let refused = |status: &str| Some(News::Refused(status.to_owned()));
    let (mut client, mut server) = connected();
    assert_eq!(
        say(&mut client, &mut server, "_error", 1.0, &[("code", "NetConnection.Connect.InvalidApp")]),
        refused("NetConnection.Connect.InvalidApp")
    );

    let (mut client, mut server) = connected();
    assert_eq!(say(&mut client, &mut server, "_result", 1.0, &[]), None);
    assert_eq!(say(&mut client, &mut server, "_error", 2.0, &[("code", "NetConnection.Call.Failed")]), None, "releaseStream may fail");
    assert_eq!(say(&mut client, &mut server, "_result", 4.0, &[]), None);
    assert_eq!(client.stage(), Stage::Publish);
    assert_eq!(
        say(&mut client, &mut server, "onStatus", 0.0, &[("code", "NetStream.Publish.BadName"), ("level", "error")]),
        refused("NetStream.Publish.BadName")
    );
    assert_eq!(say(&mut client, &mut server, "onStatus", 0.0, &[("code", "NetStream.Publish.Start")]), Some(News::Live));
    assert_eq!(
        say(&mut client, &mut server, "onStatus", 0.0, &[("code", "NetStream.Unpublish.Success")]),
        refused("NetStream.Unpublish.Success")
    );
}

#[test]
fn what_a_server_says_cannot_carry_the_key_or_a_sentence() {
    for code in [KEY, "canary", "two words", "", "\u{202e}evil", &"x".repeat(65)] {
        let target = Target::parse("1", "rtmp://host/live", Some("canary")).unwrap_or_else(|e| panic!("{e}"));
        let (mut client, mut server) = connected();
        client.target = target;
        let news = say(&mut client, &mut server, "_error", 1.0, &[("code", code)]);
        assert_eq!(news, Some(News::Refused("NetConnection.Connect.Rejected".to_owned())), "{code}");
    }
}

#[test]
fn a_stranger_is_an_error_and_no_panic() {
    assert!(session().input(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
    let mut noise = 0x1234_5678_u32;
    for _ in 0..200 {
        let (mut client, _) = connected();
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .take(2000)
        .collect();
        for piece in bytes.chunks(97) {
            if client.input(piece).is_err() {
                break;
            }
        }
    }
}
