//! TLS that does not come about: each reason with its repair.

use std::error::Error as StdError;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};

use crate::finding::{Cause, Finding};

/// Why a certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::source::postgres) enum Unfit {
    #[error("it ended on {0}")]
    Expired(String),
    #[error("it begins on {0} only")]
    NotYet(String),
    #[error("it is signed by itself")]
    SelfSigned,
    #[error("it says that it is an authority (CA:TRUE), and not a server")]
    Authority,
    #[error("it is signed by {0}, whom nobody here vouches for")]
    UnknownIssuer(String),
    #[error("it is not for {asked:?} but for {named}")]
    OtherName { asked: String, named: String },
    #[error("its name stands only in its subject ({0}), where nobody may look any more (RFC 9525)")]
    NameInSubject(String),
    #[error("it is of version 1 of X.509, which cannot say what it is for")]
    Version1,
    #[error("its signature or its key is of a kind that is too weak or unknown: {0}")]
    Weak(String),
    #[error("{0}")]
    Other(String),
}

impl Unfit {
    /// Sorts what rustls says of a certificate by what can be read in it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what rustls may add has no words of ours")]
    pub(super) fn of(error: &Error, looked: &Looked, now: UnixTime) -> Self {
        if let Err(late) = looked.is_in_time(now) {
            return late;
        }
        let Error::InvalidCertificate(reason) = error else {
            return Self::Other(error.to_string());
        };
        if looked.is_version_1() {
            return Self::Version1;
        }
        match reason {
            CertificateError::UnknownIssuer if looked.issuer == looked.subject => Self::SelfSigned,
            CertificateError::UnknownIssuer => Self::UnknownIssuer(looked.issuer.clone()),
            CertificateError::BadSignature => Self::UnknownIssuer(looked.issuer.clone()),
            CertificateError::Other(_) if looked.is_authority && looked.issuer == looked.subject => Self::SelfSigned,
            CertificateError::Other(_) if looked.is_authority => Self::Authority,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Weak(looked.signature.clone())
            }
            other => Self::Other(other.to_string()),
        }
    }

    /// The server could not show, by the key of its certificate, that it is its own.
    pub(super) fn of_key(error: &Error, looked: &Looked) -> Self {
        match looked.is_version_1() {
            true => Self::Version1,
            false => Self::Weak(error.to_string()),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Expired(_) => "source.certificate_expired",
            Self::NotYet(_) => "source.certificate_not_yet",
            Self::SelfSigned => "source.certificate_self_signed",
            Self::Authority => "source.certificate_authority",
            Self::UnknownIssuer(_) => "source.certificate_issuer",
            Self::OtherName { .. } => "source.certificate_name",
            Self::NameInSubject(_) => "source.certificate_subject",
            Self::Version1 => "source.certificate_version",
            Self::Weak(_) => "source.certificate_weak",
            Self::Other(_) => "source.certificate",
        }
    }

    fn repair(&self) -> String {
        let itself = "save the certificate that the server shows, after a look at it by another way, and name the file as \
            `root_cert` of [source]: openssl s_client -starttls postgres -connect HOST:PORT";
        match self {
            Self::Expired(_) => "put a new one on the server (ssl_cert_file), then: SELECT pg_reload_conf()".to_owned(),
            Self::NotYet(_) => "set the clock of this machine, or of the one that made the certificate".to_owned(),
            Self::SelfSigned | Self::Authority => itself.to_owned(),
            Self::Version1 => format!("make it again with an extension, subjectAltName = DNS:HOST; or, with TLS 1.3 and \
                 sslmode=verify-ca: {itself}"),
            Self::UnknownIssuer(_) => {
                "set `root_cert` in [source] to the PEM file of the authority that signed it; where authorities stand in \
                 between, the server's ssl_cert_file must hold them too"
                    .to_owned()
            }
            Self::OtherName { .. } => "write the host in `url` as the certificate names it, or make one with this name as \
                 subjectAltName; sslmode=verify-ca trusts every name of that authority"
                .to_owned(),
            Self::NameInSubject(name) => format!(
                "make it again with `subjectAltName = DNS:{name}`, or let sslmode=verify-ca trust every name of that authority"
            ),
            Self::Weak(_) => "make it again with SHA-256, and RSA of 2048 bits or more, or ECDSA".to_owned(),
            Self::Other(_) => {
                "set `root_cert` in [source] to the PEM file of the authority that signed it".to_owned()
            }
        }
    }

    fn finding(&self) -> Finding {
        let what = format!("cannot believe the certificate of PostgreSQL: {self}");
        Finding::error(Cause::Surroundings, self.code(), what)
            .because("whoever answers in its place would get the password, and could tell rows that never were")
            .repair(self.repair())
    }
}

/// What can be read in a certificate; nothing of one that is none.
#[derive(Default)]
pub(super) struct Looked {
    issuer: String,
    subject: String,
    names: Vec<String>,
    signature: String,
    is_authority: bool,
    version: Option<Version>,
    public_key: Option<Vec<u8>>,
    /// Since 1970, with the words for people.
    from: Option<(u64, String)>,
    until: Option<(u64, String)>,
}

impl Looked {
    pub(super) fn at(leaf: &CertificateDer<'_>) -> Self {
        let Ok(parsed) = Certificate::from_der(leaf) else {
            return Self::default();
        };
        let told = &parsed.tbs_certificate;
        let time = |time: &x509_cert::time::Time| Some((time.to_unix_duration().as_secs(), time.to_string()));
        let constraints = told.get::<BasicConstraints>().ok().flatten();
        let names = told.get::<SubjectAltName>().ok().flatten();
        Self {
            issuer: told.issuer.to_string(),
            subject: told.subject.to_string(),
            names: names
                .map(|(_, names)| names.0.iter().filter_map(spoken).collect())
                .unwrap_or_default(),
            signature: parsed.signature_algorithm.oid.to_string(),
            is_authority: constraints.is_some_and(|(_, constraints)| constraints.ca),
            version: Some(told.version),
            public_key: told.subject_public_key_info.to_der().ok(),
            from: time(&told.validity.not_before),
            until: time(&told.validity.not_after),
        }
    }

    fn is_version_1(&self) -> bool {
        self.version == Some(Version::V1)
    }

    /// Whether its time has come and is not over.
    pub(super) fn is_in_time(&self, now: UnixTime) -> Result<(), Unfit> {
        match (&self.from, &self.until) {
            (_, Some((until, word))) if now.as_secs() > *until => Err(Unfit::Expired(word.clone())),
            (Some((from, word)), _) if now.as_secs() < *from => Err(Unfit::NotYet(word.clone())),
            _ => Ok(()),
        }
    }

    /// Its key (SubjectPublicKeyInfo).
    pub(super) fn public_key(self) -> Option<Vec<u8>> {
        self.public_key
    }

    /// Its key, where rustls does not read it: rustls knows version 3 only.
    pub(super) fn public_key_of_version_1(self) -> Option<Vec<u8>> {
        if self.is_version_1() { self.public_key } else { None }
    }

    /// It does not name the host.
    pub(super) fn misnamed(&self, asked: &str) -> Unfit {
        let common = self.subject.split(',').find_map(|part| part.trim().strip_prefix("CN="));
        match common {
            Some(common) if self.names.is_empty() => Unfit::NameInSubject(common.to_owned()),
            _ => Unfit::OtherName {
                asked: asked.to_owned(),
                named: self.names.join(", "),
            },
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other kind names a host")]
fn spoken(name: &x509_cert::ext::pkix::name::GeneralName) -> Option<String> {
    use x509_cert::ext::pkix::name::GeneralName;
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            _ => <[u8; 16]>::try_from(bytes.as_bytes())
                .ok()
                .map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// What an operator must mend, where TLS is the reason of an error.
pub(in crate::source::postgres) fn found(error: &(dyn StdError + 'static)) -> Option<Finding> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = inner
            .and_then(|inner| inner.downcast_ref::<Error>())
            .or_else(|| error.downcast_ref::<Error>());
        if let Some(tls) = tls {
            return of_tls(tls);
        }
        next = error.source();
    }
    None
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what rustls may add has no words of ours")]
fn of_tls(error: &Error) -> Option<Finding> {
    let finding = |code, what: &str| Finding::error(Cause::Surroundings, code, what);
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.downcast_ref::<Unfit>().map(Unfit::finding)
        }
        // In the handshake, a key that is too short for its signature to be checked.
        Error::InvalidCertificate(reason) => Some(Unfit::Weak(reason.to_string()).finding()),
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => Some(
            finding("source.tls_old", "PostgreSQL speaks no TLS that is safe: 1.2 or 1.3")
                .because("older versions can be read by others")
                .repair(
                    "ssl_max_protocol_version = '' in postgresql.conf, or a server whose OpenSSL is 1.0.1 or later",
                ),
        ),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => Some(
            finding(
                "source.tls_old",
                "PostgreSQL and walbridge have no TLS cipher in common",
            )
            .repair("ssl_ciphers = 'HIGH:MEDIUM:+3DES:!aNULL' in postgresql.conf, which is the default"),
        ),
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError,
        ) => Some(
            finding(
                "source.client_certificate",
                &format!("PostgreSQL refuses our certificate: {error}"),
            )
            .repair(
                "name in `client_cert` of [source] one that an authority of the server's ssl_ca_file has signed, with \
                 those in between",
            ),
        ),
        _ => None,
    }
}
