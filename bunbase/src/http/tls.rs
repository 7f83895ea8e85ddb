//! Encrypted connections: a certificate and its key from files, read again when those change.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{Error, Result};

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority, as PEM.
    pub certificate: PathBuf,
    /// The certificate's key, as PEM.
    pub key: PathBuf,
    /// How often they are looked at.
    pub reload_interval: Duration,
}

/// The certificate that new connections are shown.
pub(crate) struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What is in the files, or why they cannot be read.
type Contents = Result<(Vec<u8>, Vec<u8>), String>;

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// 500 when one of them is not there or not right, or they do not belong together.
    pub(crate) fn load(files: &TlsFiles) -> Result<(Arc<Self>, Contents)> {
        let provider = Arc::new(ring::default_provider());
        let contents = read(files);
        let first = parse(&contents, &provider)
            .map_err(|problem| Error::new(500, "tls", format!("`tls.certificate` and `tls.key`: {problem}")))?;
        Ok((Arc::new(Self { files: files.clone(), provider, current: RwLock::new(first) }), contents))
    }

    /// Says how connections are encrypted: TLS 1.2 and 1.3, with what rustls takes by itself.
    ///
    /// # Errors
    /// 500 when the library has none of both.
    pub(crate) fn server(self: &Arc<Self>) -> Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(Error::internal)?;
        Ok(builder.with_no_client_auth().with_cert_resolver(self.clone()))
    }

    /// Looks at the files now and then, for ever. They are compared as a whole: times of files do not change with each way to replace them.
    pub(crate) async fn watch(self: Arc<Self>, mut seen: Contents) {
        loop {
            tokio::time::sleep(self.files.reload_interval).await;
            let files = self.files.clone();
            let Ok(contents) = tokio::task::spawn_blocking(move || read(&files)).await else { continue };
            if contents != seen {
                self.take(&contents);
                seen = contents;
            }
        }
    }

    /// Shows new connections what is in the files, if it is right.
    fn take(&self, contents: &Contents) {
        match parse(contents, &self.provider) {
            Ok(key) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = key;
                tracing::info!(certificate = %self.files.certificate.display(), "new connections have the new certificate");
            }
            // Of two files that change one after the other, the first one makes this too.
            Err(problem) => tracing::warn!(problem, "the new certificate is not taken; the one before stays"),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles) -> Contents {
    let one = |file: &Path| fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()));
    Ok((one(&files.certificate)?, one(&files.key)?))
}

fn parse(contents: &Contents, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let (certificate, key) = contents.as_ref().map_err(Clone::clone)?;
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("the certificate is no PEM: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key is no PEM: {error}"))?;
    let both = CertifiedKey::from_der(chain, key, provider);
    both.map(Arc::new).map_err(|error| format!("the certificate and the key are not right together: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a certificate.
    fn make(folder: &Path) -> TlsFiles {
        crate::certificates::make(folder);
        let file = |name: &str| folder.join(name);
        TlsFiles { certificate: file("server.crt"), key: file("server.key"), reload_interval: Duration::from_secs(1) }
    }

    fn shown(certificates: &Certificates) -> Vec<u8> {
        certificates.current.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn what_is_not_right_leaves_the_one_before_in_place() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = [make(folders[0].path()), make(folders[1].path())];
        let (certificates, _) = Certificates::load(&first).unwrap();
        let before = shown(&certificates);
        let (certificate, key) = read(&second).unwrap();
        for wrong in [
            Err("gone".to_owned()),
            Ok((Vec::new(), Vec::new())),
            Ok((b"nonsense".to_vec(), key.clone())),
            Ok((certificate.clone(), b"nonsense".to_vec())),
            Ok((certificate.clone(), read(&first).unwrap().1)),
            Ok((certificate[..certificate.len() / 2].to_vec(), key.clone())),
        ] {
            certificates.take(&wrong);
            assert_eq!(shown(&certificates), before);
        }
        certificates.take(&Ok((certificate, key)));
        assert_ne!(shown(&certificates), before);
    }

    #[test]
    fn it_does_not_start_with_what_is_not_right() {
        let folder = tempfile::tempdir().unwrap();
        let files = make(folder.path());
        let gone = TlsFiles { key: folder.path().join("gone"), ..files.clone() };
        let error = Certificates::load(&gone).unwrap_err();
        assert!(error.detail().contains("tls.key") && error.detail().contains("gone"), "{error:?}");
        let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate.clone(), ..files };
        assert!(Certificates::load(&swapped).is_err());
    }
}
