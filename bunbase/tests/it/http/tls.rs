//! Encrypted connections, and a certificate that is replaced while they go on.

use std::{fs, path::Path, sync::Arc};

use bunbase::{prelude::*, testing::ListeningApp};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::soon;
use crate::certificates::make;

pub(super) fn app(folder: &Path) -> App {
    let at = |file: &str| folder.join(file).display().to_string();
    App::new()
        .config("tls.certificate", at("server.crt"))
        .config("tls.key", at("server.key"))
        .config("tls.reload_interval", "50ms")
        .config("security.hsts", "1d")
}

pub(super) async fn connect(
    app: &ListeningApp,
    authority: &Path,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(app.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // A server may leave out the last message of TLS.
    let _ = soon("an answer", stream.read_to_end(&mut text)).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn with_a_certificate_connections_are_encrypted_and_known_to_be() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let app = ListeningApp::start(app(folder.path())).await;
    let mut stream = connect(&app, &folder.path().join("ca.crt"), &["http/1.1"]).await.unwrap();
    let answer = get(&mut stream, "/t/origins/reached").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"https localhost\""), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=86400\r\n"), "{answer}");
    // What is not encrypted is not answered, and the next client is.
    let plain = super::wire::exchange(&app, b"GET /_health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.starts_with("HTTP/1.1 200"), "{plain}");
    let mut stream = connect(&app, &folder.path().join("ca.crt"), &[]).await.unwrap();
    assert!(get(&mut stream, "/_health/live").await.starts_with("HTTP/1.1 200"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let (folder, next) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(folder.path());
    make(next.path());
    let app = ListeningApp::start(app(folder.path())).await;
    let mut before = connect(&app, &folder.path().join("ca.crt"), &[]).await.unwrap();
    // The key comes first, and does not belong to the certificate that is there.
    for file in ["server.key", "server.crt"] {
        fs::copy(next.path().join(file), folder.path().join(file)).unwrap();
    }
    let replaced = async { while connect(&app, &next.path().join("ca.crt"), &[]).await.is_err() {} };
    soon("a certificate of the new authority", replaced).await;
    assert!(get(&mut before, "/_health/live").await.starts_with("HTTP/1.1 200"));
    assert!(connect(&app, &folder.path().join("ca.crt"), &[]).await.is_err());
    app.stop().await.unwrap();
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn http_2_is_agreed_on_where_both_sides_have_it() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let app = ListeningApp::start(app(folder.path())).await;
    for (offered, agreed) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(&app, &folder.path().join("ca.crt"), offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed.as_bytes()));
    }
    app.stop().await.unwrap();
}
