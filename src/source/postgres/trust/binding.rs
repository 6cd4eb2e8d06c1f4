//! Channel binding: a digest of the server's certificate, which both ends put into the password's proof.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5912;

/// `tls-server-end-point` of a certificate: its digest by the algorithm of its signature, SHA-256 in place of MD5 and SHA-1
/// (RFC 5929, section 4.1); none where the signature has no digest of its own (Ed25519), or one that is not known.
pub(in crate::source::postgres) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let der: &[u8] = certificate;
    match digest_of(parsed.signature_algorithm.oid)? {
        Algorithm::Sha256 => Some(Sha256::digest(der).to_vec()),
        Algorithm::Sha384 => Some(Sha384::digest(der).to_vec()),
        Algorithm::Sha512 => Some(Sha512::digest(der).to_vec()),
    }
}

enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

fn digest_of(signature: ObjectIdentifier) -> Option<Algorithm> {
    match signature {
        rfc5912::MD_5_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256 => Some(Algorithm::Sha256),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => Some(Algorithm::Sha384),
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_512 => Some(Algorithm::Sha512),
        _ => None,
    }
}
