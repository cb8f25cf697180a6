//! Every status and vendor code of the two fact sheets, and what is done with it.

use ::http::{HeaderMap, HeaderValue};

use super::classify;
use crate::http::failure::{Failure, Outcome, System};

fn judge(system: System, status: u16, body: &str) -> Option<Failure> {
    classify(system, status, &HeaderMap::new(), body.as_bytes())
}

fn dynamics(code: &str, message: &str) -> String {
    serde_json::json!({ "error": { "code": code, "message": message } }).to_string()
}

#[test]
fn every_status_means_one_thing_in_both_systems() {
    use Outcome::*;
    let table: &[(&[u16], Option<Outcome>)] = &[
        (&[200, 201, 202, 203, 204, 206, 207, 299, 304], None),
        (&[300, 301, 302, 303, 307, 308, 399], Some(Foreign)),
        (&[400, 402, 404, 405, 406, 407, 411, 414, 415, 422, 431, 451, 501], Some(Setup)),
        (&[401], Some(Unauthenticated)),
        (&[403], Some(Refused)),
        (&[408, 421, 425, 502, 503, 504, 505, 507, 520, 524, 599, 999], Some(Unavailable)),
        (&[409, 412], Some(VersionConflict)),
        (&[410], Some(CursorExpired)),
        (&[413], Some(TooLarge)),
        (&[429], Some(Throttled)),
        (&[500], Some(ServerError)),
    ];
    for system in [System::Dynamics, System::Campaign] {
        for (statuses, want) in table {
            for status in *statuses {
                let failure = judge(system, *status, "");
                assert_eq!(failure.as_ref().map(|f| f.outcome), *want, "{system} {status}");
                assert!(failure.is_none_or(|f| !f.message.is_empty()));
                if *status >= 400 {
                    let html = judge(system, *status, "<!DOCTYPE html><html>Anna</html>").unwrap();
                    assert_eq!(Some(html.outcome), *want, "{system} {status} as HTML");
                    assert!(!html.message.contains("Anna"));
                }
            }
        }
    }
}

#[test]
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one table, as the fact sheet has one")]
fn every_dataverse_code_is_judged_as_the_sheet_says() {
    use Outcome::*;
    let table: &[(Outcome, &[(u16, &str)])] = &[
        (
            Missing,
            &[(404, "0x80040217"), (404, "0x80060891"), (400, "0x80040217"), (404, "-2147220969")],
        ),
        (
            DuplicateKey,
            &[
                (412, "0x80040237"),
                (412, "0x80060892"),
                (400, "0x80060892"),
                (400, "0x80073002"),
                (500, "0x80040237"),
            ],
        ),
        (VersionConflict, &[(412, "0x80060882"), (412, ""), (412, "0x0")]),
        (
            CursorExpired,
            &[
                (400, "0x80044352"),
                (410, "0x80044352"),
                (404, "0x80044352"),
                (403, "0x80044352"),
                (400, "-2147204270"),
                (400, "0X80044352"),
                (410, "0x0"),
            ],
        ),
        (
            Refused,
            &[
                (403, "0x80040220"),
                (403, "0x80048306"),
                (403, "0x80040231"),
                (403, "0x80048405"),
                (403, "0x80040204"),
                (403, "0x80040225"),
                (403, "0x80072560"),
                (403, "0x8004f502"),
                (403, "0x8004f504"),
                (403, "0x8004f507"),
                (400, "0x80040220"),
                (403, "0x8badf00d"),
                (403, ""),
            ],
        ),
        (Unauthenticated, &[(401, "0x8005f101"), (401, "0x80040220"), (401, "")]),
        (
            Throttled,
            &[
                (429, "0x80072321"),
                (429, "0x80072322"),
                (429, "0x80072326"),
                (429, "0x8005f103"),
                (429, "0x80060308"),
                (429, ""),
                (503, "0x80072322"),
                (429, "-2147015902"),
            ],
        ),
        (
            Unavailable,
            &[
                (503, "0x80072323"),
                (503, "0x80072324"),
                (503, "0x8004a001"),
                (500, "0x8004a001"),
                (503, "0x80060308"),
                (500, "0x80044150"),
                (400, "0x80044150"),
                (500, "0x80044151"),
                (400, "0x80044339"),
                (400, "0x80071151"),
                (400, "0x80071154"),
                (502, "0x8006088a"),
                (503, "0x80040216"),
                (503, ""),
                (504, "0x0"),
            ],
        ),
        (
            ServerError,
            &[
                (500, "0x80040216"),
                (400, "0x80040216"),
                (500, "0x80040224"),
                (400, "0x80040224"),
                (500, "0x8006088a"),
                (500, ""),
                (500, "0x8badf00d"),
            ],
        ),
        (
            BadRecord,
            &[
                (412, "0x80040333"),
                (500, "0x80040333"),
                (400, "0x8006089d"),
                (400, "0x80044331"),
                (400, "0x8004432f"),
                (400, "0x80044330"),
                (400, "0x8004431a"),
                (400, "0x80040239"),
                (400, "0x80040278"),
                (400, "0x80040203"),
                (400, "0x80048408"),
                (400, "0x80040230"),
                (405, "0x80040227"),
                (400, "0x80040265"),
                (400, "0x80048d19"),
                (400, "0x8006088a"),
                (400, "0x8badf00d"),
                (400, ""),
                (400, "0x0"),
            ],
        ),
        (
            Setup,
            &[
                (400, "0x80060890"),
                (400, "0x80060883"),
                (400, "0x8006088d"),
                (404, "0x80060888"),
                (400, "0x80060888"),
                (400, "0x80041102"),
                (400, "0x80041103"),
                (400, "0x80072491"),
                (400, "0x80072492"),
                (400, "0x80047013"),
                (400, "0x8004700b"),
                (400, "0x80072325"),
                (429, "0x80048544"),
                (503, "0x80048544"),
                (405, "0x8badf00d"),
                (404, ""),
                (404, "0x0"),
                (501, "0x0"),
            ],
        ),
    ];
    for (want, cases) in table {
        for (status, code) in *cases {
            let failure = judge(System::Dynamics, *status, &dynamics(code, "text")).unwrap();
            assert_eq!(failure.outcome, *want, "{status} {code}");
        }
    }
}

#[test]
fn a_batch_that_ended_early_is_an_answer_and_its_parts_are_judged() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("Multipart/Mixed; boundary=b"));
    let judge = |system, status| classify(system, status, &headers, b"--b").map(|f| f.outcome);
    assert_eq!(judge(System::Dynamics, 400), None);
    assert_eq!(judge(System::Dynamics, 500), Some(Outcome::ServerError));
    assert_eq!(judge(System::Campaign, 400), Some(Outcome::Setup));
}

#[test]
fn the_few_texts_of_dataverse_that_decide() {
    use Outcome::*;
    for (status, code, message, want) in [
        (404, "", "Contact With Id = 1 Does Not Exist", Missing),
        (404, "0x0", "Contact With Ids = 1 Do Not Exist", Missing),
        (
            400,
            "0x80048d19",
            "The property 'new_x' does not exist on type 'Microsoft.Dynamics.CRM.contact'.",
            Setup,
        ),
        (400, "0x0", "An undeclared property 'new_x' which only has property annotations", Setup),
        (
            400,
            "0x80048d19",
            "Cannot convert the literal 'x' to the expected type 'Edm.Int32'.",
            BadRecord,
        ),
    ] {
        assert_eq!(
            judge(System::Dynamics, status, &dynamics(code, message)).unwrap().outcome,
            want,
            "{message}"
        );
    }
    let refused = "Principal user (Id=1, type=8) is missing prvReadContact privilege (Id=2) on OTC=2 for entity 'contact'.";
    let failure = judge(System::Dynamics, 403, &dynamics("0x80040220", refused)).unwrap();
    assert!(failure.message.starts_with("the privilege prvReadContact is missing."), "{failure}");
    assert!(failure.message.contains("'contact'"));
    let old = judge(
        System::Dynamics,
        400,
        r#"{"error":{"code":"-2147220989","innererror":{"message":"inner"}}}"#,
    )
    .unwrap();
    assert_eq!((old.message.as_str(), old.code.as_deref()), ("inner", Some("0x80040203")));
    let gateway =
        judge(System::Dynamics, 404, r#"{"Message":"No HTTP resource was found"}"#).unwrap();
    assert_eq!((gateway.outcome, gateway.message.as_str()), (Setup, "No HTTP resource was found"));
}

#[test]
fn every_answer_of_the_adobe_gateway_is_judged_as_the_sheet_says() {
    use Outcome::*;
    for (status, code, want) in [
        (403, "403000", Refused),
        (403, "403003", Refused),
        (503, "503000", Unavailable),
        (403, "403010", Refused),
        (401, "401013", Unauthenticated),
        (503, "503010", Unavailable),
        (403, "403011", Refused),
        (403, "403020", Unauthenticated),
        (403, "403023", Refused),
        (403, "403024", Refused),
        (403, "503020", Unavailable),
        (403, "403012", Refused),
        (403, "403013", Refused),
        (429, "429001", Throttled),
        (429, "429002", Throttled),
        (429, "429050", Throttled),
        (503, "503071", Unavailable),
        (503, "429050", Throttled),
        (400, "401013", Unauthenticated),
    ] {
        let body = format!(r#"{{"error_code":"{code}","message":"text"}}"#);
        let failure = judge(System::Campaign, status, &body).unwrap();
        assert_eq!(
            (failure.outcome, failure.code.as_deref()),
            (want, Some(code)),
            "{status} {code}"
        );
    }
    for code in [500, 502] {
        for status in [400, 404, 500, 502] {
            let body = format!(
                r#"{{"code":{code},"message":"Oops. Something went wrong. Check your URI and try again."}}"#
            );
            assert_eq!(judge(System::Campaign, status, &body).unwrap().outcome, Setup);
        }
    }
    assert_eq!(judge(System::Campaign, 400, "Bad Request").unwrap().outcome, Setup);
    assert_eq!(
        judge(System::Campaign, 410, "Events at position x have expired.").unwrap().outcome,
        CursorExpired
    );
}

#[test]
fn every_text_of_the_campaign_server_is_judged_raw_or_quoted() {
    use Outcome::*;
    let general = "RST-360011 An error has occurred - please contact your administrator. ";
    for (status, text, want, code) in [
        (500, "'O5iRp40EGA' attribute unknown (see definition of 'Profiles (nms:recipient)' schema). XTK-170036 Unable to parse expression '@id = @O5iRp40EGA'.".to_owned(), BadRecord, Some("XTK-170036")),
        (500, "'@gibberish' is not a valid constant".to_owned(), BadRecord, None),
        (404, "Unable to decrypt PKey. (PKey=@jksad)".to_owned(), BadRecord, None),
        (404, format!("{general}Unable to find document with path 'Service' from key 'adobe_nl:0' (document with schema 'service' and name 'adobe_nl')"), Missing, Some("RST-360011")),
        (500, format!("{general}\nRST-360012 Inconsistent operation on resource 'service' – Cannot update key 'SVC3' to 'SVC4'."), BadRecord, Some("RST-360012")),
        (500, "A 'Service' with the same key 'SVC4' already exists. PGS-220000 PostgreSQL error: ERROR:  duplicate key value violates unique constraint \"nmsservice_name\" DETAIL:  Key (sname)=(SVC4) already exists.".to_owned(), DuplicateKey, Some("PGS-220000")),
        (500, "PGS-220000 PostgreSQL error: ERROR:  duplicate key value violates unique constraint".to_owned(), DuplicateKey, Some("PGS-220000")),
        (500, format!("{general}The value 'invalid' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' field"), BadRecord, Some("RST-360011")),
        (500, "Cannot update the 'age' property that is read-only\n'age' property is not valid for the 'profile' resource.".to_owned(), Setup, None),
        (500, "'xyz' property is not valid for the 'profile' resource.".to_owned(), Setup, None),
        (500, "'zipCode' property not valid for 'profile'".to_owned(), Setup, None),
        (500, "BAS-010040 Cannot convert 'a' (type text) to integer (8 bit) type (bAS-010011 Invalid value).".to_owned(), BadRecord, Some("BAS-010040")),
        (404, format!("{general}Error rc=-2003"), Setup, Some("RST-360011")),
        (500, format!("{general}PGS-220000 PostgreSQL error: x XTK-170006 Unable to parse expression 'FetchData($(apiVersion))'."), ServerError, Some("PGS-220000")),
        (500, format!("{general}\n'contentURL' parameter isn't defined in signal activity."), Setup, Some("RST-360011")),
        (500, "something else".to_owned(), ServerError, None),
        (503, "something else".to_owned(), Unavailable, None),
        (404, "something else".to_owned(), Setup, None),
    ] {
        let quoted = serde_json::to_string(&text).unwrap();
        for body in [text.as_str(), quoted.as_str()] {
            let failure = judge(System::Campaign, status, body).unwrap();
            assert_eq!((failure.outcome, failure.code.as_deref()), (want, code), "{body}");
            for value in ["SVC4", "adobe_nl", "O5iRp40EGA'.", "'invalid'", "'a'"] {
                assert!(!failure.message.contains(value), "{failure}");
            }
        }
    }
}

#[test]
fn a_page_or_half_an_answer_is_no_success() {
    for (content_type, body, garbled) in [
        ("application/json", r#"{"a":1}"#, false),
        ("application/json", "", false),
        ("application/json; odata.metadata=minimal", r#"{"a":[1"#, true),
        ("application/json", r#"[{"a":1}"#, true),
        ("application/json", "\"", true),
        ("application/json", "\u{feff} {} \r\n", false),
        ("text/html; charset=utf-8", "maintenance", true),
        ("application/json", "<html>", true),
        ("", "  <!doctype HTML>", true),
        ("text/plain", "The signal was ignored", false),
        ("multipart/mixed; boundary=x", "--x\r\n", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
        let failure = classify(System::Dynamics, 200, &headers, body.as_bytes());
        assert_eq!(
            failure.map(|f| f.outcome),
            garbled.then_some(Outcome::Garbled),
            "{content_type} {body}"
        );
    }
}

#[test]
fn an_answer_of_any_bytes_is_judged_without_a_panic_and_shown_in_one_line() {
    for body in [
        &[0xff_u8, 0xfe, 0][..],
        b"{",
        b"\"",
        b"[]",
        b"null",
        &vec![b'['; 200_000],
        b"{\"error\":7}",
        b"{\"error\":{\"code\":{}}}",
    ] {
        for system in [System::Dynamics, System::Campaign] {
            for status in [400, 404, 500, 999] {
                let shown = classify(system, status, &HeaderMap::new(), body).unwrap().to_string();
                assert!(!shown.contains(char::is_control) && shown.len() < 2000);
            }
        }
    }
}

#[test]
fn a_redirect_names_the_host_and_nothing_more() {
    let mut headers = HeaderMap::new();
    headers.insert("location", HeaderValue::from_static("https://u:p@evil.example/x?token=1"));
    headers.insert("req_id", HeaderValue::from_static("id-1"));
    let failure = classify(System::Dynamics, 302, &headers, b"").unwrap();
    assert_eq!(
        failure.to_string(),
        "dynamics: a redirect to https://evil.example, which is not followed (HTTP 302, request id-1)"
    );
}

#[test]
fn each_outcome_has_its_own_word() {
    let words: std::collections::BTreeSet<_> =
        Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
    assert_eq!(words.len(), Outcome::ALL.len());
}
