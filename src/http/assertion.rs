//! A signed statement that we hold a certificate's private key.
//!
//! Must not know where the key comes from or who asks.
//! Source: entra-docs docs/identity-platform/certificate-credentials.md.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use crate::clock::Clock;
use crate::secret::Secret;

/// The value of `client_assertion_type` (RFC 7523).
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds (the page says 5–10 minutes).
const LIFETIME_SECONDS: i64 = 480;

#[derive(Serialize)]
struct Claims<'c> {
    aud: &'c str,
    iss: &'c str,
    sub: &'c str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// An assertion for `client_id` towards `audience` (the token URL), signed with
/// PS256 by the RSA key in `pem`, which also holds the certificate.
///
/// # Errors
/// Says what is missing in the PEM text; never quotes it.
pub(super) fn assertion(
    pem: &Secret,
    client_id: &str,
    audience: &str,
    clock: &Clock,
) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| "the certificate file holds no certificate (PEM)".to_owned())?;
    let key = EncodingKey::from_rsa_pem(private_key(pem.expose())?.as_bytes())
        .map_err(|_| "the certificate file's private key is not an RSA key that can be read (PEM, not encrypted)".to_owned())?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(BASE64_URL_SAFE_NO_PAD.encode(digest));
    let now = clock.now().as_second();
    let claims = Claims {
        aud: audience,
        iss: client_id,
        sub: client_id,
        jti: clock.guid().to_string(),
        nbf: now,
        iat: now,
        exp: now + LIFETIME_SECONDS,
    };
    encode(&header, &claims, &key)
        .map_err(|_| "the certificate's private key cannot sign (PS256)".to_owned())
}

/// The private key's block: the JWT library reads the first block only.
fn private_key(pem: &str) -> Result<&str, String> {
    ["-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"]
        .into_iter()
        .find_map(|begin| {
            let start = pem.find(begin)?;
            let block = pem.get(start..)?;
            let last = begin.replace("BEGIN", "END");
            block.get(..block.find(&last)? + last.len())
        })
        .ok_or_else(|| "the certificate file holds no private key (PEM, not encrypted)".to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::Value;

    use super::assertion;
    use crate::clock::Clock;
    use crate::secret::Secret;

    /// A throw-away key pair, both orders of blocks.
    fn pem() -> (String, rcgen::Certificate) {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["cdsync".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (format!("{}{}", certificate.pem(), key.serialize_pem()), certificate)
    }

    fn part(jwt: &str, index: usize) -> Value {
        let text = jwt.split('.').nth(index).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_what_entra_documents() {
        let (pem, certificate) = pem();
        let clock = Clock::seeded(1);
        let jwt = assertion(&Secret::new(&pem), "app", "https://login/t/oauth2/v2.0/token", &clock)
            .unwrap();
        let header = part(&jwt, 0);
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["typ"], "JWT");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
        assert_eq!(header["x5t#S256"], BASE64_URL_SAFE_NO_PAD.encode(digest));
        let claims = part(&jwt, 1);
        assert_eq!(claims["aud"], "https://login/t/oauth2/v2.0/token");
        assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), 480);
        assert!(uuid::Uuid::parse_str(claims["jti"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn a_file_without_key_or_certificate_is_named_and_not_quoted() {
        let (pem, _) = pem();
        let cut = pem.find("-----BEGIN PRIVATE").unwrap();
        let clock = Clock::seeded(1);
        for (text, what) in [
            (&pem[..cut], "no private key"),
            (&pem[cut..], "no certificate"),
            ("hunter2", "no certificate"),
        ] {
            let error = assertion(&Secret::new(text), "a", "b", &clock).unwrap_err();
            assert!(error.contains(what) && !error.contains("hunter2"), "{error}");
        }
    }
}
