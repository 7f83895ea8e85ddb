//! The rest of a body that nobody reads.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    error::PayloadError,
    http::header::{self, HeaderMap},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// A chunked body, held until the answer is sent.
///
/// When one is dropped before its end, actix waits for the rest of it to come, however long that takes, so that the connection can go on.
/// One that is still there it does not wait for: the connection ends with the answer, as it does after a body of a known length.
pub(crate) struct Held(Option<Rc<RefCell<Payload>>>);

impl Held {
    /// Returns what reads the body, and what holds it.
    pub(crate) fn new(headers: &HeaderMap, payload: Payload) -> (Payload, Self) {
        if !headers.contains_key(header::TRANSFER_ENCODING) {
            return (payload, Self(None));
        }
        let shared = Rc::new(RefCell::new(payload));
        (Payload::Stream { payload: Box::pin(Reader(shared.clone())) }, Self(Some(shared)))
    }

    /// Holds it until this answer is sent.
    pub(crate) fn until_sent(self, response: HttpResponse) -> HttpResponse {
        match self.0 {
            None => response,
            Some(payload) => response.map_body(|_, body| BoxBody::new(Holding { body, _payload: payload })),
        }
    }
}

struct Reader(Rc<RefCell<Payload>>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next_unpin(cx)
    }
}

struct Holding {
    body: BoxBody,
    _payload: Rc<RefCell<Payload>>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
