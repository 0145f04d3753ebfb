//! Certificates for servers of tests: a CA of one's own, and what it signs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A CA whose certificate lies in a folder as `NAME.crt`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
    pem: String,
    file: PathBuf,
}

/// A certificate and its key, as PEM and as files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub crt: String,
    /// The key.
    pub key: String,
    /// The file that holds the certificate.
    pub crt_file: PathBuf,
    /// The file that holds the key.
    pub key_file: PathBuf,
}

impl Authority {
    /// Makes a CA and writes its certificate.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let file = dir.join(format!("{name}.crt"));
        std::fs::write(&file, &pem)?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            dir: dir.to_owned(),
            pem,
            file,
        })
    }

    /// Reads a CA that somebody else made; what it signs here goes to a folder of one's own.
    pub fn load(crt: &Path, key: &Path, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let pem = std::fs::read_to_string(crt)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, KeyPair::from_pem(&std::fs::read_to_string(key)?)?)?;
        Ok(Self {
            issuer,
            dir: dir.to_owned(),
            pem,
            file: crt.to_owned(),
        })
    }

    /// Signs a certificate for `name` that serves on loopback and logs in as `name`; both are written to the folder.
    pub fn issue(&self, name: &str) -> Result<Pair> {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate()?;
        let crt = params.signed_by(&key, &self.issuer)?.pem();
        let (crt_file, key_file) = (
            self.dir.join(format!("{name}.pem")),
            self.dir.join(format!("{name}.key")),
        );
        std::fs::write(&crt_file, &crt)?;
        std::fs::write(&key_file, key.serialize_pem())?;
        Ok(Pair {
            crt,
            key: key.serialize_pem(),
            crt_file,
            key_file,
        })
    }

    /// The certificate of the CA as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }
}
