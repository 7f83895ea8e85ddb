//! A collector behind TLS, whose certificate is held against a file.

use std::{path::Path, sync::Arc};

use bunbase::{prelude::*, testing::TestApp};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::receiver::{Behaviour, Receiver};
use crate::certificates::make;

/// Listens with the folder's certificate, and passes on to the receiver what comes.
async fn encrypted(folder: &Path, receiver: &Receiver, protocol: &str) -> String {
    let certificate = CertificateDer::from_pem_file(folder.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = receiver.address;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // One whose authority is not known goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut onward = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

/// Returns how many spans of one request the receiver got.
async fn sent(url: &str, protocol: &str, authority: Option<&Path>, receiver: &Receiver) -> usize {
    let app = App::new()
        .config("otlp.endpoint", url)
        .config("otlp.protocol", protocol)
        .config("log.otlp", false)
        .config("tracing.timeout", "5s");
    let app = match authority {
        Some(file) => app.config("otlp.certificate", file.display().to_string()),
        None => app,
    };
    let app = TestApp::start(app).await;
    app.get("/t/telemetry/fail/404").send().await.assert_status(404);
    app.stop_tracing().await;
    receiver.received().spans.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_believed_by_the_certificate_of_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let authority = folder.path().join("ca.crt");
    let receiver = Receiver::http(Behaviour::Takes);
    let url = encrypted(folder.path(), &receiver, "http/1.1").await;
    // The system knows nothing of this authority.
    assert_eq!(sent(&url, "http/protobuf", None, &receiver).await, 0);
    assert_eq!(sent(&url, "http/protobuf", Some(&authority), &receiver).await, 3);
    let receiver = Receiver::grpc().await;
    let url = encrypted(folder.path(), &receiver, "h2").await;
    assert_eq!(sent(&url, "grpc", Some(&authority), &receiver).await, 3);
}
