//! The server's side of an RTMP session in which all goes well up to `publish`, and that is refused: what a platform does which
//! still holds another publication of this name. Written from the specification, as far as it takes.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// Of the protocol, in the first byte of both sides. TLS would begin with another.
const VERSION: u8 = 3;
/// Bytes of each later part of the handshake.
const PART: usize = 1536;
/// Payload of a chunk, until a side says otherwise.
const CHUNK: usize = 128;
/// What this side says: each of its answers is one chunk.
const OUR_CHUNK: u32 = 4096;
/// Commands are short: a stranger's length must not fill the memory.
const LONGEST: usize = 64 << 10;
/// Bytes that each side may send before it hears that they came; none of these sessions gets so far.
const WINDOW: u32 = 2_500_000;

/// Kinds of message.
const SET_CHUNK: u8 = 1;
const SET_WINDOW: u8 = 5;
const SET_BANDWIDTH: u8 = 6;
const COMMAND: u8 = 20;
/// The limit of [`SET_BANDWIDTH`] may be passed.
const SOFT: u8 = 2;
/// Chunk streams of control messages, of answers, and of what happens to a publication.
const CONTROL: u8 = 2;
const ANSWERS: u8 = 3;
const STATUS: u8 = 5;
/// AMF0: nothing.
const NULL: [u8; 1] = [5];

/// What a publisher hears from a server on which the name is taken.
const REFUSAL: [(&str, &str); 3] = [("level", "error"), ("code", "NetStream.Publish.BadName"), ("description", "Already publishing")];

/// Serves one client until it is gone or `ended` says so. Its socket must have a read timeout, or that is not asked.
///
/// # Errors
/// The client is gone before it was refused, or does not speak RTMP.
pub(crate) fn serve(stream: &TcpStream, ended: &dyn Fn() -> bool) -> io::Result<()> {
    let mut client = Client { stream, ended, chunk: CHUNK, lanes: HashMap::new() };
    client.greet()?;
    loop {
        let message = client.message()?;
        match (message.kind, message.body.as_slice()) {
            (SET_CHUNK, size) => client.chunk = (number(size) & 0x7fff_ffff).max(1) as usize,
            (COMMAND, body) => {
                if let Some((name, id)) = command(body)
                    && client.answer(name, id, message.stream)?
                {
                    break;
                }
            }
            _ => {}
        }
    }
    stream.shutdown(Shutdown::Write)?;
    // Closed with something unread the connection would be reset, and the refusal might be lost.
    while client.take(1).is_ok() {}
    Ok(())
}

struct Client<'a> {
    stream: &'a TcpStream,
    ended: &'a dyn Fn() -> bool,
    /// Payload of each of its chunks.
    chunk: usize,
    lanes: HashMap<u32, Lane>,
}

/// A chunk stream: what its next chunk may leave out, and the message that is under way.
#[derive(Default)]
struct Lane {
    extended: bool,
    message: Message,
    length: usize,
}

#[derive(Default)]
struct Message {
    kind: u8,
    stream: u32,
    body: Vec<u8>,
}

impl Client<'_> {
    /// So many bytes, whenever they come.
    fn take(&self, count: usize) -> io::Result<Vec<u8>> {
        let (mut bytes, mut have, mut stream) = (vec![0; count], 0, self.stream);
        while have < count {
            if (self.ended)() {
                return Err(ErrorKind::ConnectionReset.into());
            }
            match stream.read(&mut bytes[have..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => have += got,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(bytes)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.stream;
        stream.write_all(bytes)
    }

    /// The plain handshake: a part of ours, which may be anything but says by its zeros that it is no other, and theirs again.
    fn greet(&self) -> io::Result<()> {
        let hello = self.take(1 + PART)?;
        let Some((&VERSION, part)) = hello.split_first() else { return Err(ErrorKind::InvalidData.into()) };
        let mut ours = vec![VERSION];
        ours.extend([0; 8]);
        ours.extend((8..PART).map(|n| (n * 7 % 251) as u8));
        ours.extend(part);
        self.send(&ours)?;
        self.take(PART).map(drop)
    }

    /// The next message as a whole.
    fn message(&mut self) -> io::Result<Message> {
        loop {
            let first = self.take(1)?[0];
            let id = match first & 0x3f {
                0 => 64 + number(&self.take(1)?),
                // The one number of the protocol that has its low byte first.
                1 => 64 + self.take(2)?.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)),
                near => u32::from(near),
            };
            let head = self.take([11, 7, 3, 0][usize::from(first >> 6)])?;
            let mut lane = self.lanes.remove(&id).unwrap_or_default();
            if let Some(time) = head.get(..3) {
                lane.extended = time == [0xff; 3];
            }
            if let Some(rest) = head.get(3..7) {
                lane.length = number(&rest[..3]) as usize;
                lane.message.kind = rest[3];
            }
            if let Some(stream) = head.get(7..).and_then(|rest| rest.first_chunk::<4>()) {
                lane.message.stream = u32::from_le_bytes(*stream);
            }
            if lane.extended {
                self.take(4)?;
            }
            if lane.length > LONGEST {
                return Err(ErrorKind::InvalidData.into());
            }
            let left = lane.length.saturating_sub(lane.message.body.len());
            lane.message.body.extend(self.take(left.min(self.chunk))?);
            let whole = lane.message.body.len() >= lane.length;
            let (kind, stream) = (lane.message.kind, lane.message.stream);
            let body = if whole { std::mem::take(&mut lane.message.body) } else { vec![] };
            self.lanes.insert(id, lane);
            if whole {
                return Ok(Message { kind, stream, body });
            }
        }
    }

    /// Answers a command; true when that was the refusal.
    fn answer(&self, name: &str, id: f64, stream: u32) -> io::Result<bool> {
        match name {
            "connect" => {
                self.say(CONTROL, SET_WINDOW, 0, &WINDOW.to_be_bytes())?;
                self.say(CONTROL, SET_BANDWIDTH, 0, &[&WINDOW.to_be_bytes()[..], &[SOFT]].concat())?;
                self.say(CONTROL, SET_CHUNK, 0, &OUR_CHUNK.to_be_bytes())?;
                let accepted = [("level", "status"), ("code", "NetConnection.Connect.Success"), ("description", "Connection succeeded.")];
                let body = [amf_text("_result"), amf_number(id), amf_object(&[("fmsVer", "FMS/3,0,1,123")]), amf_object(&accepted)];
                self.say(ANSWERS, COMMAND, 0, &body.concat())?;
            }
            "createStream" => {
                self.say(ANSWERS, COMMAND, 0, &[amf_text("_result"), amf_number(id), NULL.to_vec(), amf_number(1.0)].concat())?;
            }
            "publish" => {
                let body = [amf_text("onStatus"), amf_number(0.0), NULL.to_vec(), amf_object(&REFUSAL)];
                self.say(STATUS, COMMAND, stream, &body.concat())?;
                return Ok(true);
            }
            // Nobody waits for an answer to the others.
            _ => {}
        }
        Ok(false)
    }

    /// A message in one chunk.
    fn say(&self, lane: u8, kind: u8, stream: u32, body: &[u8]) -> io::Result<()> {
        let mut bytes = vec![lane, 0, 0, 0];
        bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
        bytes.push(kind);
        // Here, too, the low byte comes first.
        bytes.extend(stream.to_le_bytes());
        bytes.extend(body);
        self.send(&bytes)
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Name of a command, and the number that its answer must have.
fn command(body: &[u8]) -> Option<(&str, f64)> {
    let [2, high, low, rest @ ..] = body else { return None };
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    let [0, rest @ ..] = rest else { return None };
    Some((std::str::from_utf8(name).ok()?, f64::from_be_bytes(*rest.first_chunk()?)))
}

/// A string without its type.
fn amf_name(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn amf_text(text: &str) -> Vec<u8> {
    [vec![2], amf_name(text)].concat()
}

fn amf_number(number: f64) -> Vec<u8> {
    [&[0][..], &number.to_be_bytes()].concat()
}

/// An object of strings.
fn amf_object(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().flat_map(|(name, value)| [amf_name(name), amf_text(value)].concat());
    std::iter::once(3).chain(fields).chain([0, 0, 9]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Two ends of a connection, the second with a read timeout.
    fn pair() -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (far, _) = listener.accept()?;
        far.set_read_timeout(Some(std::time::Duration::from_millis(10)))?;
        Ok((near, far))
    }

    static NEVER: fn() -> bool = || false;

    fn client(stream: &TcpStream) -> Client<'_> {
        Client { stream, ended: &NEVER, chunk: CHUNK, lanes: HashMap::new() }
    }

    #[test]
    fn messages_are_read_however_they_are_cut() -> anyhow::Result<()> {
        let (mut near, far) = pair()?;
        let long: Vec<u8> = (0..300_u32).map(|n| (n % 251) as u8).collect();
        let mut bytes = vec![3, 0, 0, 0, 0, 1, 44, COMMAND, 7, 0, 0, 0];
        bytes.extend(&long[..128]);
        // Another chunk stream in between, far away, with a time that needs four more bytes.
        bytes.extend([1, 1, 1, 0xff, 0xff, 0xff, 0, 0, 2, SET_WINDOW, 0, 0, 0, 0, 1, 2, 3, 4, 8, 9]);
        bytes.push(0xc3);
        bytes.extend(&long[128..256]);
        bytes.push(0xc3);
        bytes.extend(&long[256..]);
        // Length and kind as before.
        bytes.extend([0x83, 0, 0, 1]);
        bytes.extend(&long[..128]);
        bytes.push(0xc3);
        bytes.extend(&long[128..256]);
        bytes.push(0xc3);
        bytes.extend(&long[256..]);
        near.write_all(&bytes)?;
        let mut client = client(&far);
        let first = client.message()?;
        assert_eq!((first.kind, first.stream, first.body), (SET_WINDOW, 0, vec![8, 9]));
        for _ in 0..2 {
            let next = client.message()?;
            assert_eq!((next.kind, next.stream, &next.body), (COMMAND, 7, &long));
        }
        drop(near);
        assert!(client.message().is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_rtmp_is_no_client() -> anyhow::Result<()> {
        let (mut near, far) = pair()?;
        near.write_all(&[0x16; 1 + PART])?;
        assert_eq!(client(&far).greet().expect_err("TLS").kind(), ErrorKind::InvalidData);
        assert_eq!(command(&[2, 0, 3, b'p', b'u', b'b', 0, 0x40, 8, 0, 0, 0, 0, 0, 0]), Some(("pub", 3.0)));
        let damaged: [&[u8]; 6] =
            [&[], &[2, 0], &[2, 0, 9, b'x'], &[2, 0, 1, b'x', 0, 1], &[2, 0, 1, b'x', 2, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 20]];
        for wrong in damaged {
            assert_eq!(command(wrong), None, "{wrong:?}");
        }
        Ok(())
    }
}
