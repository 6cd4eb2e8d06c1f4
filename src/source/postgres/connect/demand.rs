//! What a server may ask for before it lets us in, and whether it gets it.

use crate::finding::{Cause, Finding};
use crate::source::postgres::settings::{Address, Binding, Md5, Trust};

/// Kinds of an authentication request (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
pub(in crate::source::postgres) const OK: u32 = 0;
pub(in crate::source::postgres) const CLEAR: u32 = 3;
pub(in crate::source::postgres) const MD5: u32 = 5;
pub(in crate::source::postgres) const SASL: u32 = 10;

/// What the connection is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::postgres) struct Standing {
    /// Whether it is certain who is at the other end.
    peer: Certainty,
    md5: Md5,
    binding: Binding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Certain,
    Anybody,
}

impl Standing {
    /// Of a connection to `address`.
    pub(in crate::source::postgres) fn of(address: &Address, trust: &Trust) -> Self {
        let peer = match address {
            Address::Unix { .. } => Certainty::Certain,
            Address::Tcp { .. } if trust.tls.is_verified() => Certainty::Certain,
            Address::Tcp { .. } => Certainty::Anybody,
        };
        Self {
            peer,
            md5: trust.md5,
            binding: trust.binding,
        }
    }

    /// Whether the server gets what it asks for first.
    ///
    /// # Errors
    /// What an operator must change where it does not.
    pub(in crate::source::postgres) fn may_ask(self, kind: u32) -> Result<(), Box<Finding>> {
        match (kind, self.binding) {
            (SASL, _) => Ok(()),
            (OK | CLEAR | MD5, Binding::Require) => Err(Box::new(unbound("it asks for no SCRAM"))),
            (OK, _) => Ok(()),
            (CLEAR, _) if self.peer == Certainty::Certain => Ok(()),
            (CLEAR, _) => Err(Box::new(in_the_clear())),
            (MD5, _) if self.md5 == Md5::Allowed => Ok(()),
            (MD5, _) => Err(Box::new(md5_refused())),
            _ => Err(Box::new(unknown())),
        }
    }
}

/// `channel_binding = "require"` cannot be kept.
pub(in crate::source::postgres) fn unbound(why: &str) -> Finding {
    let what = format!("the login cannot be bound to PostgreSQL's certificate: {why}");
    Finding::error(Cause::Surroundings, "source.channel_binding", what)
        .because("whoever stands in between could pass the login on as his own")
        .repair(
            "let the server speak TLS itself (no pooler in between that ends it) and ask for scram-sha-256 in \
             pg_hba.conf; or channel_binding = \"prefer\" in [source]",
        )
}

/// Something else listens there.
pub(in crate::source::postgres) fn no_postgresql(what: &str) -> Finding {
    let what = format!("what listens at the address does not speak PostgreSQL's protocol: {what}");
    Finding::error(Cause::Config, "source.not_postgresql", what)
        .repair("name PostgreSQL's own host and port in `url` of [source]")
}

fn in_the_clear() -> Finding {
    let what = "PostgreSQL asks for the password in the clear, on a connection that is not verified";
    Finding::error(Cause::Surroundings, "source.password_in_the_clear", what)
        .because("whoever answers in its place would learn it")
        .repair("scram-sha-256 instead of password in pg_hba.conf, or sslmode=verify-full in `url`")
}

fn md5_refused() -> Finding {
    let what = "PostgreSQL asks for the password's MD5 digest";
    Finding::error(Cause::Surroundings, "source.md5_refused", what)
        .because("whoever overhears the login, or answers in PostgreSQL's place, can find the password from it")
        .repair(
            "SET password_encryption = 'scram-sha-256', then ALTER ROLE … PASSWORD '…' anew, and scram-sha-256 in \
             pg_hba.conf; or, knowingly, allow_md5 = true in [source]",
        )
}

fn unknown() -> Finding {
    let what = "PostgreSQL asks for a way to authenticate that is not spoken (GSSAPI, SSPI or an unknown one)";
    Finding::error(Cause::Surroundings, "source.authentication_unknown", what)
        .repair("scram-sha-256 for this role in pg_hba.conf, or a client certificate (cert)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::postgres::settings::Tls;

    const GSSAPI: u32 = 7;

    fn refused(tls: Tls, kind: u32, change: impl FnOnce(&mut Trust)) -> Option<&'static str> {
        let address = Address::Tcp {
            host: "db".to_owned(),
            port: 1,
        };
        let mut trust = Trust::of(tls);
        change(&mut trust);
        let asked = Standing::of(&address, &trust).may_ask(kind);
        asked.err().map(|finding| finding.code)
    }

    #[test]
    fn a_password_goes_in_the_clear_only_to_somebody_who_is_certain() {
        for tls in [Tls::Disable, Tls::Prefer, Tls::Require] {
            assert_eq!(refused(tls, CLEAR, |_| ()), Some("source.password_in_the_clear"));
        }
        assert_eq!(refused(Tls::VerifyCa, CLEAR, |_| ()), None);
        assert_eq!(refused(Tls::VerifyFull, CLEAR, |_| ()), None);
    }

    #[test]
    fn md5_is_answered_only_where_it_is_allowed() {
        assert_eq!(refused(Tls::VerifyFull, MD5, |_| ()), Some("source.md5_refused"));
        assert_eq!(refused(Tls::VerifyFull, MD5, |trust| trust.md5 = Md5::Allowed), None);
    }

    #[test]
    fn where_binding_is_required_nothing_less_will_do() {
        for kind in [OK, CLEAR, MD5] {
            let required = |trust: &mut Trust| trust.binding = Binding::Require;
            assert_eq!(refused(Tls::VerifyFull, kind, required), Some("source.channel_binding"));
        }
        assert_eq!(
            refused(Tls::Require, GSSAPI, |_| ()),
            Some("source.authentication_unknown")
        );
    }
}
