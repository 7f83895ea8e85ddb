//! Actix in process, on a thread of its own: its services may not leave their thread, and tests may.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    thread::JoinHandle,
};

use actix_web::{
    body::to_bytes,
    dev::Service,
    http::{Method, header::HeaderMap},
};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::TestResponse;
use crate::http::{Mounts, Table, application};

/// One request on its way to the thread.
pub(crate) struct Work {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) peer: IpAddr,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) answer: oneshot::Sender<TestResponse>,
}

/// The way to the thread; it ends when this is dropped.
pub(crate) struct InProcess {
    work: Option<mpsc::UnboundedSender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl InProcess {
    pub(crate) fn start(table: Table, mounts: Mounts) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(serve(table, mounts, receiver)));
        Self { work: Some(sender), thread: Some(thread) }
    }

    pub(crate) async fn send(&self, work: Work, answer: oneshot::Receiver<TestResponse>) -> TestResponse {
        let sent = self.work.as_ref().is_some_and(|sender| sender.send(work).is_ok());
        assert!(sent, "the in-process server has ended");
        answer.await.unwrap_or_else(|_| panic!("the in-process server dropped a request; its panic is above"))
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, has been printed by itself.
            let _ = thread.join();
        }
    }
}

async fn serve(table: Table, mounts: Mounts, mut work: mpsc::UnboundedReceiver<Work>) {
    let service = Rc::new(actix_web::test::init_service(application(table.into(), mounts)).await);
    while let Some(Work { method, uri, peer, headers, body, answer }) = work.recv().await {
        let service = service.clone();
        actix_web::rt::spawn(async move {
            let is_head = method == Method::HEAD;
            let mut request = actix_web::test::TestRequest::with_uri(&uri).method(method);
            request = request.peer_addr(SocketAddr::new(peer, 0));
            for (name, value) in headers {
                request = request.append_header((name, value));
            }
            let response = match service.call(request.set_payload(body).to_request()).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            let (head, body) = response.into_parts();
            // On a connection it is the server that leaves the body out.
            let body = if is_head { Ok(Bytes::new()) } else { to_bytes(body).await };
            // The test may have stopped waiting.
            let _ = answer.send(TestResponse::new(head.status().as_u16(), head.headers().clone(), body.ok()));
        });
    }
}
