//! A reply on its way out: whole, half or not at all.
//!
//! Owns: what the network makes of a decided reply. Decides nothing.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;

use super::listener::Cut;
use super::wire::Reply;

/// What becomes of a reply on its way out.
pub(crate) enum Sending {
    Whole(Reply),
    Half(Reply),
    Nothing,
    /// The request was applied; the connection closes.
    Lost(Reply),
}

impl Sending {
    /// The same with the operations that it stands for and the faults they met.
    pub(crate) fn counted(self) -> (Self, usize, Vec<&'static str>) {
        match self {
            Self::Whole(mut reply) => {
                let faults = std::mem::take(&mut reply.faults);
                let operations = reply.operations;
                (Self::Whole(reply), operations, faults)
            }
            Self::Half(reply) => {
                let operations = reply.operations;
                (Self::Half(reply), operations, Vec::new())
            }
            Self::Lost(reply) => (Self::Nothing, reply.operations, reply.faults),
            Self::Nothing => (Self::Nothing, 1, Vec::new()),
        }
    }
}

/// As axum sends it.
pub(crate) fn respond(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Headers and the first half of the body, then the connection closes.
pub(crate) fn half(reply: Reply, cut: Cut) -> Response {
    let length = reply.body.len();
    let first = reply.body.slice(..length / 2);
    let stream = futures_util::stream::unfold((Some(first), cut), |(first, cut)| async move {
        if let Some(first) = first {
            return Some((Ok::<Bytes, std::io::Error>(first), (None, cut)));
        }
        // Lets the first half leave before the connection goes.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        cut.now();
        Some((Err(std::io::ErrorKind::ConnectionReset.into()), (None, cut)))
    });
    let mut response = Response::new(Body::from_stream(stream));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
        .headers_mut()
        .insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length.max(2)));
    response
}
