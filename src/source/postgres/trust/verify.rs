//! The look at a server's certificate, and why one is not believed.
//!
//! rustls refuses more than libpq does. What it refuses is named here as a person would look for it, since a legacy server
//! often has a certificate that somebody made by hand many years ago.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use crate::source::postgres::trust::Roots;
use crate::source::postgres::trust::refused::{Looked, Unfit};

/// How close the look is.
#[derive(Debug)]
pub(in crate::source::postgres) enum Check {
    /// None: whoever has the key of the certificate that was shown.
    Nothing,
    /// Somebody we believe signed it.
    Chain(Roots),
    /// And it names the host we asked for.
    ChainAndName(Roots),
}

/// The look at the server's certificate.
#[derive(Debug)]
pub(in crate::source::postgres) struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(in crate::source::postgres) fn new(check: Check, provider: Arc<CryptoProvider>) -> Self {
        Self { check, provider }
    }

    /// Whether somebody we believe signed it. A certificate that stands in `root_cert` itself is believed for what it is,
    /// as libpq does: most that are signed by themselves say that they are an authority, which rustls takes from no server.
    fn chain(
        &self,
        roots: &Roots,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Unfit> {
        let looked = Looked::at(leaf);
        if roots.named.iter().any(|named| **named == **leaf) {
            return looked.is_in_time(now);
        }
        let unfit = |error: &Error| Unfit::of(error, &looked, now);
        let parsed = ParsedCertificate::try_from(leaf).map_err(|error| unfit(&error))?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots.store, intermediates, now, algorithms)
            .map_err(|error| unfit(&error))
    }
}

/// Whether it names the host.
fn name(leaf: &CertificateDer<'_>, host: &ServerName<'_>) -> Result<(), Unfit> {
    let misnamed = || Looked::at(leaf).misnamed(&host.to_str());
    let parsed = ParsedCertificate::try_from(leaf).map_err(|_| misnamed())?;
    verify_server_name(&parsed, host).map_err(|_| misnamed())
}

fn refused(unfit: Unfit) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(unfit))))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let looked = match &self.check {
            Check::Nothing => Ok(()),
            Check::Chain(roots) => self.chain(roots, leaf, intermediates, now),
            Check::ChainAndName(roots) => self
                .chain(roots, leaf, intermediates, now)
                .and_then(|()| name(leaf, host)),
        };
        looked.map(|()| ServerCertVerified::assertion()).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
            .map_err(|error| refused(Unfit::of_key(&error, &Looked::at(cert))))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match Looked::at(cert).public_key_of_version_1() {
            Some(key) => verify_tls13_signature_with_raw_key(message, &key.into(), dss, algorithms),
            None => verify_tls13_signature(message, cert, dss, algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
