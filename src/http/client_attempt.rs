//! One attempt: its headers, and what no answer means.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::Shared;
use crate::http::credentials::Token;
use crate::http::failure::{Failure, Outcome, System};
use crate::http::message::Request;
use crate::http::transport::{Attempt, BODY_CAP, Broken, TOTAL};

impl Shared {
    pub(super) fn no_answer(&self, broken: Broken) -> Failure {
        let (outcome, text) = match broken {
            Broken::NotSent(text) => (Outcome::NotSent, text),
            Broken::Unknown(text) | Broken::TimedOut(text) => (Outcome::Unknown, text),
            Broken::Garbled(text) => (Outcome::Garbled, text),
            Broken::TooLarge(text) => (Outcome::TooLarge, text),
        };
        Failure::new(self.system, outcome, &text)
    }

    /// Headers, in this order of weight: credentials, the caller's, the baseline.
    pub(super) fn attempt(&self, request: &Request, token: &Token) -> Result<Attempt, Failure> {
        let wrong = |_| Failure::new(self.system, Outcome::Setup, "a header that cannot be sent");
        let mut headers = HeaderMap::with_capacity(self.baseline.len() + request.headers.len() + 4);
        if let Some((_, content_type)) = &request.body {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_str(content_type).map_err(|e| wrong(e.into()))?,
            );
        }
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|e| wrong(::http::Error::from(e)))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|e| wrong(e.into()))?);
        }
        for (name, value) in &self.baseline {
            if name == header::IF_NONE_MATCH && request.method != Method::GET {
                continue;
            }
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        if self.system == System::Dynamics {
            let id = HeaderValue::from_str(&self.clock.guid().to_string())
                .map_err(|e| wrong(e.into()))?;
            headers.insert("x-ms-client-request-id", id);
        }
        headers.insert(header::AUTHORIZATION, token.header.clone());
        Ok(Attempt {
            method: request.method.clone(),
            url: request.url.url().clone(),
            headers,
            body: request.body.as_ref().map(|(body, _)| body.clone()),
            timeout: TOTAL,
            body_cap: request.body_cap.unwrap_or(BODY_CAP),
        })
    }
}
