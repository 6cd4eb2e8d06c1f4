//! Tokens for SASL/OAUTHBEARER (RFC 7628): what `oauth_token` in `[kafka]` gives, handed to librdkafka when it asks.

use std::error::Error;
use std::ffi::CString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::bindings::{rd_kafka_oauthbearer_set_token, rd_kafka_s};
use rdkafka::client::OAuthToken;
use serde_json::Value;

use crate::finding::{Cause, Finding};
use crate::secret::Secret;
use crate::sink::SinkError;

/// How long a token counts that does not say so itself: librdkafka asks again after four fifths of it.
const OPAQUE_LIFETIME: Duration = Duration::from_secs(300);

/// The token as it is now.
pub(in crate::sink::kafka) fn token(secret: Option<&Secret>) -> Result<OAuthToken, Box<dyn Error>> {
    let secret = secret.ok_or("no oauth_token in [kafka]")?;
    Ok(of_text(secret.read()?.expose()))
}

/// Who it is for and how long it counts stand in a JSON Web Token (RFC 7519, section 4.1); of any other neither is known.
fn of_text(text: &str) -> OAuthToken {
    let claims = text
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let said = |name: &str| claims.as_ref().and_then(|claims| claims.get(name));
    let until = said("exp").and_then(Value::as_f64).map(Duration::try_from_secs_f64);
    let until = until
        .and_then(Result::ok)
        .unwrap_or_else(|| now().saturating_add(OPAQUE_LIFETIME));
    OAuthToken {
        token: text.to_owned(),
        principal_name: said("sub").and_then(Value::as_str).unwrap_or("walbridge").to_owned(),
        lifetime_ms: i64::try_from(until.as_millis()).unwrap_or(i64::MAX),
    }
}

#[expect(clippy::disallowed_methods, reason = "a token counts until a time of day")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Gives a new client its first token: one that nobody polls, such as the one for topics, would never be asked for it.
///
/// # Errors
/// A halt where there is none, or it is none.
pub(in crate::sink::kafka) fn give(client: *mut rd_kafka_s, secret: Option<&Secret>) -> Result<(), SinkError> {
    if secret.is_none() {
        return Ok(());
    }
    let refused = |why: String| {
        let what = format!("cannot log in to Kafka with oauth_token: {why}");
        let finding = Finding::error(Cause::Surroundings, "kafka.token", what);
        SinkError::Halt(Box::new(
            finding.repair("let oauth_token in [kafka] give a token that counts now"),
        ))
    };
    let token = token(secret).map_err(|error| refused(error.to_string()))?;
    let nul = |_| refused("it holds a zero byte".to_owned());
    let (text, principal) = (
        CString::new(token.token).map_err(nul)?,
        CString::new(token.principal_name).map_err(nul)?,
    );
    let mut said = [0; 256];
    #[expect(
        unsafe_code,
        reason = "rdkafka hands a token over only where it polls; the client lives in the caller, the strings and the \
                  buffer, whose length goes with it, outlive the call"
    )]
    let answer = unsafe {
        rd_kafka_oauthbearer_set_token(
            client,
            text.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            said.as_mut_ptr(),
            said.len(),
        )
    };
    if rdkafka::error::IsError::is_error(&answer) {
        let bytes: Vec<u8> = said
            .iter()
            .take_while(|byte| **byte != 0)
            .map(|byte| byte.to_ne_bytes()[0])
            .collect();
        return Err(refused(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_token_says_whose_it_is_and_how_long_it_counts() {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let text = format!(
            "{}.{}.",
            part(r#"{"alg":"none"}"#),
            part(r#"{"sub":"bridge","exp":1795000000.5}"#)
        );
        let token = of_text(&text);
        assert_eq!(
            (token.principal_name.as_str(), token.lifetime_ms),
            ("bridge", 1_795_000_000_500)
        );
        assert_eq!(token.token, text);
    }

    #[test]
    fn any_other_counts_for_a_while() {
        let before = now().as_millis();
        for text in ["opaque", "a.b.c", ""] {
            let token = of_text(text);
            assert_eq!(token.principal_name, "walbridge");
            assert!(u128::try_from(token.lifetime_ms).unwrap() >= before + OPAQUE_LIFETIME.as_millis());
        }
    }
}
