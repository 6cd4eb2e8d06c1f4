//! Whom a connection trusts, and as whom it shows itself: TLS as `sslmode` says
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>), the same for the stream and for SQL.
//!
//! Certificates are read anew for each connection, so that one that was replaced counts from the next on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::sql::halt;

pub(in crate::source::postgres) mod binding;
pub(in crate::source::postgres) mod refused;
pub(in crate::source::postgres) mod verify;

use crate::source::postgres::trust::refused::Looked;
use crate::source::postgres::trust::verify::{Check, Verifier};

/// What must hold before a password or a row crosses the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// `sslmode`
    pub tls: Tls,
    /// PEM bundle to verify the server with; none: the system's store.
    pub root_cert: Option<PathBuf>,
    /// Our own certificate, where the server asks for one.
    pub client: Option<ClientCert>,
    /// `channel_binding`
    pub binding: Binding,
    /// `allow_md5`
    pub md5: Md5,
}

impl Trust {
    /// As `tls` says, and otherwise the defaults.
    pub fn of(tls: Tls) -> Self {
        Self {
            tls,
            root_cert: None,
            client: None,
            binding: Binding::Prefer,
            md5: Md5::Refused,
        }
    }
}

/// `sslmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// No TLS.
    Disable,
    /// TLS where the server speaks it, without a look at the certificate.
    Prefer,
    /// TLS without a look at the certificate.
    Require,
    /// TLS with a verified chain, whatever name the certificate holds.
    VerifyCa,
    /// TLS with a verified chain and name.
    VerifyFull,
}

impl Tls {
    /// By its word in a URL.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// The word in a URL.
    ///
    /// # Errors
    /// None where it is none of [`Tls::WORDS`].
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, tls)| *tls)
    }

    /// Whether it is certain who is at the other end.
    pub fn is_verified(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }
}

/// Our own certificate: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// The certificate, and those between it and the authority.
    pub cert: PathBuf,
    /// Its key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// `channel_binding`: whether the password's proof is bound to the server's certificate (RFC 5929, `tls-server-end-point`),
/// so that nobody in between can pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Never.
    Disable,
    /// Where the server offers it.
    Prefer,
    /// Or no session.
    Require,
}

/// `allow_md5`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Md5 {
    /// A server that asks for it is refused.
    Refused,
    /// It is answered.
    Allowed,
}

fn unusable(what: String) -> SourceError {
    halt(Finding::error(Cause::Config, "source.tls", what))
}

/// What rustls needs for one connection.
///
/// # Errors
/// A halt where a file cannot be read or used.
pub(in crate::source::postgres) fn config(trust: &Trust) -> Result<ClientConfig, SourceError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let check = match trust.tls {
        Tls::Disable | Tls::Prefer | Tls::Require => Check::Nothing,
        Tls::VerifyCa => Check::Chain(roots(trust.root_cert.as_deref())?),
        Tls::VerifyFull => Check::ChainAndName(roots(trust.root_cert.as_deref())?),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(check, Arc::clone(&provider))));
    let Some(client) = &trust.client else {
        return Ok(builder.with_no_client_auth());
    };
    let own = own_certificate(client, &provider)?;
    Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
}

/// What rustls itself cannot read, such as version 1 of X.509, is shown all the same: the server judges it.
fn own_certificate(client: &ClientCert, provider: &CryptoProvider) -> Result<CertifiedKey, SourceError> {
    let chain = certificates(&client.cert)?;
    let key = PrivateKeyDer::from_pem_file(&client.key).map_err(|error| no_key(&client.key, &error))?;
    let unusable = |error: rustls::Error| unusable_pair(client, &error);
    let key = provider.key_provider.load_private_key(key).map_err(unusable)?;
    let certified = chain.first().and_then(|own| Looked::at(own).public_key());
    let ours = key.public_key();
    if let (Some(certified), Some(ours)) = (certified, ours)
        && certified[..] != *ours
    {
        return Err(unusable(InconsistentKeys::KeyMismatch.into()));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn no_key(path: &Path, error: &pem::Error) -> SourceError {
    let what = format!("cannot read the key in {}: {error}", path.display());
    halt(
        Finding::error(Cause::Config, "source.client_key", what)
            .because("an encrypted key cannot be used: nobody is there to type its password")
            .repair("client_key = a PEM file; openssl pkey -in KEY -out PLAIN takes the password off"),
    )
}

fn unusable_pair(client: &ClientCert, error: &rustls::Error) -> SourceError {
    let (cert, key) = (client.cert.display(), client.key.display());
    let what = if matches!(error, rustls::Error::InconsistentKeys(_)) {
        format!("the key in {key} is not that of the certificate in {cert}")
    } else {
        format!("cannot use the certificate in {cert} with the key in {key}: {error}")
    };
    let repair = "name the two files that belong together in `client_cert` and `client_key` of [source]";
    halt(Finding::error(Cause::Config, "source.client_key", what).repair(repair))
}

/// All certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let unreadable =
        |error: pem::Error| unusable(format!("cannot read the certificates in {}: {error}", path.display()));
    let found = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    if found.is_empty() {
        return Err(unusable(format!("there is no certificate in {}", path.display())));
    }
    Ok(found)
}

/// Whom to believe: the certificates themselves, and those among them that can vouch for others.
#[derive(Debug)]
pub(in crate::source::postgres) struct Roots {
    pub(in crate::source::postgres) store: RootCertStore,
    pub(in crate::source::postgres) named: Vec<CertificateDer<'static>>,
}

fn roots(root_cert: Option<&Path>) -> Result<Roots, SourceError> {
    let mut store = RootCertStore::empty();
    let named = match root_cert {
        Some(path) => certificates(path)?,
        None => Vec::new(),
    };
    // What rustls cannot use as an authority may still be the server's very own.
    match root_cert {
        Some(_) => store.add_parsable_certificates(named.iter().cloned()),
        None => store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    if store.is_empty() && named.is_empty() {
        let what = "cannot verify PostgreSQL: this system has no certificate of any authority".to_owned();
        let finding = Finding::error(Cause::Config, "source.tls", what);
        return Err(halt(
            finding.repair("root_cert = \"/path/of/the/authority.pem\" in [source]"),
        ));
    }
    Ok(Roots { store, named })
}
