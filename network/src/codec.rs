//! Questions and answers on a stream of their own: a length of four bytes, little-endian, then so many bytes.
//!
//! The length is checked before anything is read, and memory grows with what has come, not with what was announced: who
//! announces much and sends little holds little.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

use crate::message::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, Request, Response};

/// Bytes for which room is made before they come.
const ROOM: usize = 16 << 10;

/// A question, or why what came is none: of those that cannot be read libp2p tells nobody, and whoever sent them would go on.
pub type Question = io::Result<Request>;

/// The codec of libp2p's request-response.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec;

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, max: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{length} bytes announced, at most {max} allowed"),
        ));
    }
    let mut bytes = Vec::with_capacity(length.min(ROOM));
    let wanted = u64::try_from(length).unwrap_or(u64::MAX);
    io.take(wanted).read_to_end(&mut bytes).await?;
    if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(bytes).await?;
    io.close().await
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Question;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Question>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read(io, REQUEST_BYTES_MAX).await {
            Ok(bytes) => Ok(Request::decode(&bytes).map_err(invalid)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        Response::decode(&read(io, RESPONSE_BYTES_MAX).await?).map_err(invalid)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, question: Question) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &question?.encode()).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let bytes = response.encode();
        // Whoever reads slowly has it lie here once, not twice.
        drop(response);
        write(io, &bytes).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    use super::*;

    /// libp2p tells nobody of a question whose reading fails: a flood of them went unpunished.
    #[test]
    fn a_question_that_is_none_is_told() {
        let ask = StreamProtocol::new("/ask");
        let read = |bytes: &[u8]| block_on(Codec.read_request(&ask, &mut Cursor::new(bytes)));
        let is_none = |bytes: &[u8]| read(bytes).unwrap().unwrap_err().to_string();
        assert_eq!(read(&[1, 0, 0, 0, 4]).unwrap().unwrap(), Request::Pool);
        assert!(is_none(&[1, 0, 0, 0, 77]).contains("unknown kind"));
        assert!(is_none(&[255; 8]).contains("4294967295 bytes"));
        assert_eq!(read(&[2, 0, 0, 0, 4]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "a connection that ended");
    }
}
