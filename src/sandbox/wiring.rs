//! One connection: plain, or TLS where the first byte is that of a handshake.
//!
//! Owns: telling the two apart, so that one port serves both. Knows nothing of
//! HTTP.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// A TLS record that carries a handshake begins with this byte (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// How far a connection has come. A client speaks first, so that nothing is
/// written before the first byte has been seen.
pub(super) enum Wire {
    Unknown(TcpStream, TlsAcceptor),
    Shaking(Box<Accept<TcpStream>>),
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
    /// Between two of the others, and after a failed handshake.
    Gone,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown(..) => "Unknown",
            Self::Shaking(_) => "Shaking",
            Self::Plain(_) => "Plain",
            Self::Secure(_) => "Secure",
            Self::Gone => "Gone",
        })
    }
}

impl Wire {
    /// A connection just accepted.
    pub(super) fn new(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Self {
        match acceptor {
            None => Self::Plain(stream),
            Some(acceptor) => Self::Unknown(stream, acceptor),
        }
    }

    /// Whether TLS has been agreed on.
    pub(super) fn secure(&self) -> bool {
        matches!(self, Self::Secure(_))
    }

    /// Gets as far as plain or secure.
    fn settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self {
                Self::Plain(_) | Self::Secure(_) => return Poll::Ready(Ok(())),
                Self::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                Self::Unknown(stream, _) => {
                    let mut first = [0_u8];
                    let mut buffer = ReadBuf::new(&mut first);
                    let seen = ready!(stream.poll_peek(cx, &mut buffer))?;
                    let handshake = seen == 1 && first == [HANDSHAKE];
                    let Self::Unknown(stream, acceptor) = std::mem::replace(self, Self::Gone)
                    else {
                        continue;
                    };
                    *self = if handshake {
                        Self::Shaking(Box::new(acceptor.accept(stream)))
                    } else {
                        Self::Plain(stream)
                    };
                }
                Self::Shaking(accept) => {
                    let shaken = ready!(Pin::new(accept.as_mut()).poll(cx));
                    *self = Self::Gone;
                    *self = Self::Secure(Box::new(shaken?));
                }
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.settle(cx))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Self::Unknown(..) | Self::Shaking(_) | Self::Gone => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Self::Unknown(..) | Self::Shaking(_) | Self::Gone => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::Unknown(..) | Self::Shaking(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) | Self::Unknown(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Shaking(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Self::Unknown(..) | Self::Shaking(_) | Self::Gone => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        // Both kinds take several parts at once.
        true
    }
}
