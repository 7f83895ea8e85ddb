//! Certificates of a test's own. The tests of the library make theirs here, too.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Makes a certificate for `localhost` (`server.crt`, `server.key`) and the one of the authority that has signed it (`ca.crt`). Nobody else
/// knows that authority.
pub(crate) fn make(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    fs::write(folder.join("ca.crt"), certificate.pem()).unwrap();
    let mut server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    server.distinguished_name.push(DnType::CommonName, "localhost");
    let server_key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&server_key, &Issuer::new(authority, key)).unwrap();
    fs::write(folder.join("server.crt"), certificate.pem()).unwrap();
    // PostgreSQL takes no key that others can read.
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(folder.join("server.key")).unwrap();
    file.write_all(server_key.serialize_pem().as_bytes()).unwrap();
}
