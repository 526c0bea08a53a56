//! Framing on the private socket: `u32` little-endian length of the JSON, `u32` length of the attachment, the JSON, the
//! attachment. Lengths are checked before a byte is allocated for them.

use crate::protocol::{MAX_ATTACHMENT, MAX_JSON};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A message did not come through. The connection is of no more use.
#[derive(Debug, Error)]
pub enum WireError {
    /// The peer announced, or was to be sent, more than the protocol allows.
    #[error("message of {json}+{attachment} bytes is over the limit")]
    TooLong {
        /// Bytes of JSON.
        json: usize,
        /// Bytes of attachment.
        attachment: usize,
    },
    /// Not the JSON of this protocol.
    #[error("not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// The connection broke, also in the middle of a message.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

const HEAD: usize = 8;

/// One message as it travels.
///
/// # Errors
/// It is over the limits, or cannot be written as JSON.
pub fn encode<T: Serialize>(message: &T, attachment: &[u8]) -> Result<Bytes, WireError> {
    let json = serde_json::to_vec(message)?;
    let (json_len, attachment_len) = (within(json.len(), MAX_JSON), within(attachment.len(), MAX_ATTACHMENT));
    let (Some(json_len), Some(attachment_len)) = (json_len, attachment_len) else {
        return Err(WireError::TooLong { json: json.len(), attachment: attachment.len() });
    };
    let mut out = BytesMut::with_capacity(HEAD + json.len() + attachment.len());
    out.extend_from_slice(&json_len.to_le_bytes());
    out.extend_from_slice(&attachment_len.to_le_bytes());
    out.extend_from_slice(&json);
    out.extend_from_slice(attachment);
    Ok(out.freeze())
}

fn within(len: usize, limit: u32) -> Option<u32> {
    u32::try_from(len).ok().filter(|len| *len <= limit)
}

/// Reads one message; `None` when the peer closed between two messages.
///
/// # Errors
/// Too long, not understood, or the connection broke.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<(T, Bytes)>, WireError> {
    let mut head = [0_u8; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match from.read(&mut head[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            n => filled += n,
        }
    }
    let [a, b, c, d, e, f, g, h] = head;
    let (json_len, attachment_len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let (json_size, attachment_size) = (json_len as usize, attachment_len as usize);
    if json_len > MAX_JSON || attachment_len > MAX_ATTACHMENT {
        return Err(WireError::TooLong { json: json_size, attachment: attachment_size });
    }
    let mut body = vec![0_u8; json_size + attachment_size];
    from.read_exact(&mut body).await?;
    let message = serde_json::from_slice(&body[..json_size])?;
    Ok(Some((message, Bytes::from(body).slice(json_size..))))
}

/// Writes one message and flushes.
///
/// # Errors
/// It is over the limits, or the connection broke.
pub async fn write<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T, attachment: &[u8]) -> Result<(), WireError> {
    let bytes = encode(message, attachment)?;
    to.write_all(&bytes).await?;
    to.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Command, Event, Message, Request};
    use proptest::prelude::*;

    fn block_on<T>(body: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(body)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn junk_is_refused_without_panic_or_large_allocation(junk in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut from = junk.as_slice();
            // Anything but a panic will do; understood junk would be a wonder.
            let result = block_on(read::<Request>(&mut from));
            prop_assert!(matches!(result, Ok(None) | Err(_)));
        }

        #[test]
        fn damaged_messages_are_refused_without_panic(at in 0_usize..60, bit in 0_u8..8, cut in 0_usize..60) {
            let message = Message::Event { event: Event::Preview { seq: 7, width: 540, height: 960 } };
            let mut bytes = encode(&message, b"picture").expect("short").to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let _ = block_on(read::<Message>(&mut bytes.as_slice()));
        }

        #[test]
        fn what_is_written_is_read(id in any::<u64>(), seconds in any::<u64>(), attachment in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let request = Request { id, command: Command::SetGrace { seconds } };
            let mut bytes = encode(&request, &attachment).expect("short").to_vec();
            bytes.extend_from_slice(&encode(&request, &[]).expect("short"));
            let mut from = bytes.as_slice();
            let (first, got) = block_on(read::<Request>(&mut from)).expect("readable").expect("there");
            prop_assert_eq!(first.id, id);
            let same = matches!(first.command, Command::SetGrace { seconds: s } if s == seconds);
            prop_assert!(same);
            prop_assert_eq!(got.as_ref(), attachment.as_slice());
            prop_assert!(block_on(read::<Request>(&mut from)).expect("readable").is_some());
            prop_assert!(block_on(read::<Request>(&mut from)).expect("clean end").is_none());
        }
    }

    #[test]
    fn announced_sizes_over_the_limit_are_refused_unread() {
        let mut head = u32::MAX.to_le_bytes().to_vec();
        head.extend_from_slice(&0_u32.to_le_bytes());
        assert!(matches!(block_on(read::<Request>(&mut head.as_slice())), Err(WireError::TooLong { .. })));
        assert!(matches!(encode(&0, &vec![0; MAX_ATTACHMENT as usize + 1]), Err(WireError::TooLong { .. })));
    }
}
