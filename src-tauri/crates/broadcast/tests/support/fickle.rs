use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::RtmpMessage;
use rml_rtmp::rml_amf0::Amf0Value;
use rml_rtmp::sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult};
use rml_rtmp::time::RtmpTimestamp;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// What it does with a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Accepts it, and takes that back with its first picture.
    TakesBack,
    /// Accepts it, and closes.
    Leaves,
    /// Another connection has the name.
    Refuses,
    /// Accepts it.
    Takes,
}

/// An RTMP server that does with each publication what it is told to.
pub struct Fickle {
    pub address: SocketAddr,
    /// When it took each connection.
    pub accepted: Receiver<Instant>,
}

impl Fickle {
    pub fn start() -> Self {
        Self::that(&[Way::TakesBack])
    }

    /// What it does with the first, the second, …; the last for all that follow.
    pub fn that(ways: &[Way]) -> Self {
        let ways = ways.to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, accepted) = channel();
        std::thread::spawn(move || {
            for (n, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let _ = tell.send(Instant::now());
                let way = ways[n.min(ways.len() - 1)];
                std::thread::spawn(move || serve(client, way));
            }
        });
        Self { address, accepted }
    }
}

fn serve(mut client: TcpStream, way: Way) {
    let mut handshake = Some(Handshake::new(PeerType::Server));
    let (mut session, first) = ServerSession::new(ServerSessionConfig::new()).unwrap();
    let mut first = Some(first);
    let mut chunk = [0; 16 << 10];
    while let Ok(got @ 1..) = client.read(&mut chunk) {
        let mut bytes = chunk[..got].to_vec();
        if let Some(begun) = &mut handshake {
            match begun.process_bytes(&bytes).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    let _ = client.write_all(&response_bytes);
                    continue;
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    let _ = client.write_all(&response_bytes);
                    (handshake, bytes) = (None, remaining_bytes);
                }
            }
        }
        let mut results = first.take().unwrap_or_default();
        results.extend(session.handle_input(&bytes).unwrap());
        results.reverse();
        while let Some(result) = results.pop() {
            match result {
                ServerSessionResult::OutboundResponse(packet) => {
                    let _ = client.write_all(&packet.bytes);
                }
                ServerSessionResult::RaisedEvent(ServerSessionEvent::PublishStreamRequested { .. }) if way == Way::Refuses => {
                    let _ = client.write_all(&refusal("NetStream.Publish.BadName"));
                }
                ServerSessionResult::RaisedEvent(ServerSessionEvent::PublishStreamRequested { request_id, .. }) if way == Way::Leaves => {
                    for result in session.accept_request(request_id).unwrap() {
                        if let ServerSessionResult::OutboundResponse(packet) = result {
                            let _ = client.write_all(&packet.bytes);
                        }
                    }
                    let _ = client.shutdown(Shutdown::Write);
                }
                ServerSessionResult::RaisedEvent(
                    ServerSessionEvent::ConnectionRequested { request_id, .. }
                    | ServerSessionEvent::PublishStreamRequested { request_id, .. },
                ) => results.extend(session.accept_request(request_id).unwrap().into_iter().rev()),
                ServerSessionResult::RaisedEvent(ServerSessionEvent::VideoDataReceived { .. }) if way == Way::TakesBack => {
                    let _ = client.write_all(&refusal("NetStream.Publish.Denied"));
                }
                _ => {}
            }
        }
    }
}

fn refusal(code: &str) -> Vec<u8> {
    let text = |t: &str| Amf0Value::Utf8String(t.to_owned());
    let status = [("level", text("error")), ("code", text(code))].map(|(name, value)| (name.to_owned(), value));
    let command = RtmpMessage::Amf0Command {
        command_name: "onStatus".to_owned(),
        transaction_id: 0.0,
        command_object: Amf0Value::Null,
        additional_arguments: vec![Amf0Value::Object(status.into_iter().collect())],
    };
    let payload = command.into_message_payload(RtmpTimestamp::new(0), 1).unwrap();
    ChunkSerializer::new().serialize(&payload, true, false).unwrap().bytes
}
