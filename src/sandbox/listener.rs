//! A TCP listener whose connections can be cut from inside a handler.
//!
//! Owns: accepting, and closing a connection without another byte. Knows
//! nothing of HTTP: cutting is how the faults "no answer" and "half an answer"
//! are played.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::wiring::Wire;

/// The scissors of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<CutState>);

#[derive(Debug, Default)]
struct CutState {
    cut: AtomicBool,
    secure: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Cut {
    /// Closes the connection; nothing more is sent.
    pub(crate) fn now(&self) {
        self.0.cut.store(true, Ordering::Release);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the connection speaks TLS; known once a request has come.
    pub(crate) fn secure(&self) -> bool {
        self.0.secure.load(Ordering::Acquire)
    }

    fn check(&self) -> io::Result<()> {
        if self.0.cut.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// All open connections, so that a stopping sandbox can close them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<u64, Cut>>>);

impl Connections {
    /// Closes every open connection.
    pub(crate) fn cut_all(&self) {
        let open: Vec<Cut> = {
            let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            map.drain().map(|(_, cut)| cut).collect()
        };
        for cut in open {
            cut.now();
        }
    }
}

/// Accepts connections that can be cut.
pub(crate) struct CuttableListener {
    inner: TcpListener,
    acceptor: Option<TlsAcceptor>,
    open: Connections,
    next: AtomicU64,
}

impl std::fmt::Debug for CuttableListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CuttableListener").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl CuttableListener {
    /// Wraps a bound listener; with an acceptor, connections may speak TLS.
    pub(crate) fn new(
        inner: TcpListener,
        acceptor: Option<TlsAcceptor>,
        open: Connections,
    ) -> Self {
        Self { inner, acceptor, open, next: AtomicU64::new(0) }
    }
}

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = Listener::accept(&mut self.inner).await;
        // Small replies must not wait for more data; failing to say so only costs time.
        let _ = inner.set_nodelay(true);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let cut = Cut::default();
        self.open.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, cut.clone());
        let inner = Wire::new(inner, self.acceptor.clone());
        (CuttableStream { inner, cut, id, open: self.open.clone() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub(crate) struct CuttableStream {
    inner: Wire,
    cut: Cut,
    id: u64,
    open: Connections,
}

impl CuttableStream {
    /// The scissors of this connection.
    pub(crate) fn scissors(&self) -> Cut {
        self.cut.clone()
    }
}

impl Drop for CuttableStream {
    fn drop(&mut self) {
        self.open.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.check()?;
        *self.cut.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.cut.check()?;
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.inner.secure() {
            self.cut.0.secure.store(true, Ordering::Release);
        }
        read
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().cut.clone()
    }
}
