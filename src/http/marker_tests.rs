//! A marker in every place of an answer where the vendors put what they were
//! sent: no failure shows it, whatever it means.

use std::collections::BTreeSet;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::classify;
use crate::fuzz::{MARKER, quiet};
use crate::http::failure::System;

/// Codes that decide what an answer means; the last is none, and no text with a
/// space is one.
const CODES: [&str; 12] = [
    "0x80040217",
    "0x80060891",
    "0x80040237",
    "0x80060892",
    "0x80060882",
    "0x80040220",
    "0x80044150",
    "0x80072321",
    "0x80048d19",
    "0x8004f00f",
    "RST-360011",
    "no Zaphod7",
];

fn bodies() -> Vec<String> {
    let said =
        format!("A record with the key '{MARKER}' exists: \"{MARKER}\", {MARKER}@{MARKER}.example");
    let mut bodies = vec![
        String::new(),
        format!("<!DOCTYPE html><html><title>{MARKER}</title>{MARKER}</html>"),
        json!({ MARKER: MARKER, "message": { MARKER: [MARKER] } }).to_string(),
        json!({ "error": MARKER, "error_description": format!("AADSTS7000215: '{MARKER}'") })
            .to_string(),
        json!({ "error_code": format!("no {MARKER}"), "message": said, "reason": format!("'{MARKER}'") })
            .to_string(),
        json!(format!("RST-360012 {said}")).to_string(),
        format!("BAS-010040 {said}"),
        format!("ORA-230001 {said}. XSV-350117 '{MARKER}'"),
        format!("{{\"error\": {{\"code\": \"{MARKER}"),
    ];
    for code in CODES {
        let inner = json!({ "message": MARKER, "type": MARKER, "stacktrace": MARKER });
        let error = json!({ "code": code, "message": said, "innererror": inner, MARKER: MARKER });
        bodies.push(json!({ "error": error }).to_string());
        bodies.push(json!({ "error_code": code, "message": said }).to_string());
    }
    bodies
}

/// What a gateway adds; an id of the exchange is told, and so is none of these.
fn headers() -> HeaderMap {
    let names = [
        "location",
        "server",
        "www-authenticate",
        "retry-after",
        "content-type",
        "x-ms-cache",
        "set-cookie",
    ];
    let value = || HeaderValue::from_str(&format!("{MARKER} realm=\"{MARKER}\"")).unwrap();
    names.map(|name| (HeaderName::from_static(name), value())).into_iter().collect()
}

#[test]
fn no_failure_shows_what_an_answer_says_of_a_person() {
    let (bodies, headers) = (bodies(), headers());
    for system in [System::Dynamics, System::Campaign, System::Journal] {
        let mut met = BTreeSet::new();
        for status in 100..1000 {
            for body in &bodies {
                if let Some(failure) = classify(system, status, &headers, body.as_bytes()) {
                    quiet(&failure);
                    met.insert(format!("{:?}", failure.outcome));
                }
            }
        }
        // It is no search among failures of one kind.
        assert!(met.len() >= 9, "{system}: {met:?}");
    }
}
