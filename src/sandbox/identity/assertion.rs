//! Client assertions: a JWT signed with the key of a registered certificate.
//!
//! Owns: the rules of "Microsoft identity platform application authentication
//! certificate credentials" (Dynamics sheet 1.2). Issues nothing.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

/// A registered certificate.
pub(crate) struct Certificate {
    key: DecodingKey,
    sha256: String,
    sha1: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a certificate; a key in the same file is ignored.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        let der =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
        let start = pem.find("-----BEGIN CERTIFICATE-----").ok_or("no certificate in the text")?;
        let key = DecodingKey::from_rsa_pem(&pem.as_bytes()[start..])
            .map_err(|error| error.to_string())?;
        let print = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der).as_ref());
        Ok(Self {
            key,
            sha256: print(&digest::SHA256),
            sha1: print(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        })
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    jti: String,
    nbf: i64,
    exp: i64,
}

/// Seconds by which clocks may differ.
const SKEW: i64 = 300;
/// The longest life of an assertion that is accepted; the page advises 5 to 10 minutes.
const LONGEST: i64 = 24 * 3600;

/// Checks everything and returns the assertion's own id.
pub(crate) fn check(
    jwt: &str,
    certificates: &[Certificate],
    client: &str,
    audiences: &[String],
    now: i64,
) -> Result<String, String> {
    let header = jsonwebtoken::decode_header(jwt).map_err(|error| format!("not a JWT: {error}"))?;
    let is = |wanted: Algorithm| header.alg == wanted;
    if !is(Algorithm::PS256) && !is(Algorithm::RS256) {
        return Err("the algorithm is neither PS256 nor RS256".to_owned());
    }
    if header.typ.as_deref() != Some("JWT") {
        return Err("typ is not JWT".to_owned());
    }
    let known = |certificate: &&Certificate| match (&header.x5t_s256, &header.x5t) {
        (Some(print), _) => *print == certificate.sha256,
        (None, Some(print)) => *print == certificate.sha1,
        (None, None) => false,
    };
    let certificate =
        certificates.iter().find(known).ok_or("no registered certificate has this thumbprint")?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(jwt, &certificate.key, &validation)
        .map_err(|error| format!("the signature or a claim is wrong: {error}"))?
        .claims;
    if !audiences.contains(&claims.aud) {
        return Err("aud is not the token endpoint".to_owned());
    }
    if claims.iss != client || claims.sub != client {
        return Err("iss and sub must both be the client id".to_owned());
    }
    if claims.nbf > now + SKEW || claims.exp < now - SKEW || claims.exp > claims.nbf + LONGEST {
        return Err("the assertion is not within its valid time range".to_owned());
    }
    if claims.jti.is_empty() {
        return Err("jti is empty".to_owned());
    }
    Ok(claims.jti)
}
