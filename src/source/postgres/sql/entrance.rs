//! What keeps a new connection out.

use crate::finding::Finding;

/// Findings that say nothing of the stream, which has a connection of its own and goes on.
const KEEP_OUT: [&str; 17] = [
    "source.password_refused",
    "source.password_missing",
    "source.password_unreadable",
    "source.role_refused",
    "source.no_entry",
    "source.no_connect",
    "source.database_missing",
    "source.privilege_missing",
    "source.tls",
    "source.tls_old",
    "source.tls_unsupported",
    "source.client_certificate",
    "source.client_key",
    "source.channel_binding",
    "source.md5_refused",
    "source.password_in_the_clear",
    "source.authentication_unknown",
];

/// Whether a finding keeps a new connection out, for as long as nobody puts it right: a password that is being changed, a
/// right that is being taken and given.
pub(in crate::source::postgres) fn keeps_out(finding: &Finding) -> bool {
    KEEP_OUT.contains(&finding.code) || finding.code.starts_with("source.certificate")
}
