//! Answers as the sheet shows them, as other servers write them, and hostile ones.

use proptest::prelude::*;

use super::*;

const TYPE: Option<&str> = Some("multipart/mixed; boundary=batchresponse_f27ef42d");

const MADE: &str = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
    HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\
    Location: https://h/api/data/v9.2/tasks(01010101-0101-0101-0101-010101010101)\r\n\
    OData-EntityId: https://h/api/data/v9.2/tasks(01010101-0101-0101-0101-010101010101)\r\n";

const REFUSED: &str = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
    HTTP/1.1 400 Bad Request\r\nREQ_ID: 5ecd1cb3\r\n\
    Content-Type: application/json; odata.metadata=minimal\r\n\r\n\
    {\"error\":{\"code\":\"0x80044331\",\"message\":\"too long\"}}";

fn answer(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str("--batchresponse_f27ef42d\r\n");
        text.push_str(part);
        text.push_str("\r\n");
    }
    text + "--batchresponse_f27ef42d--\r\n"
}

fn told(text: &str, sent: usize) -> Result<Vec<(u16, String)>, &'static str> {
    let parts = read(TYPE, text.as_bytes(), sent)?;
    Ok(parts
        .iter()
        .map(|part| (part.status, String::from_utf8(part.body.to_vec()).unwrap()))
        .collect())
}

#[test]
fn parts_are_read_in_order_with_status_headers_and_body() {
    let text = answer(&[MADE, REFUSED]);
    let parts = read(TYPE, text.as_bytes(), 2).unwrap();
    assert_eq!((parts[0].status, parts[0].body), (204, &b""[..]));
    assert_eq!(parts[0].row(), Some(RecordId::from_bytes([1; 16])));
    assert_eq!(parts[1].status, 400);
    assert!(parts[1].body.starts_with(b"{\"error\"") && parts[1].body.ends_with(b"}"));
    assert_eq!(parts[1].headers["req_id"], "5ecd1cb3");
    assert_eq!(parts[1].row(), None);
}

#[test]
fn other_servers_line_ends_and_spellings_are_read_too() {
    let text = answer(&[MADE, REFUSED]);
    let wanted = told(&text, 2).unwrap();
    assert_eq!(told(&text.replace("\r\n", "\n"), 2).unwrap(), wanted);
    assert_eq!(told(&format!("a preamble\r\n{text}an epilogue"), 2).unwrap(), wanted);
    assert_eq!(told(&text.replace("No Content\r\n", "\r\n"), 2).unwrap(), wanted);
    assert_eq!(told(text.trim_end(), 2).unwrap(), wanted);
    let untyped = text.replace("Content-Type: application/http\r\n", "");
    assert_eq!(told(&untyped, 2).unwrap(), wanted);
    let bare =
        "Content-Type: application/http; msgtype=response\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(told(&answer(&[bare]), 1).unwrap(), [(204, String::new())]);
    for content_type in [
        "multipart/mixed; boundary=\"batchresponse_f27ef42d\"",
        "Multipart/Mixed;charset=utf-8;Boundary=batchresponse_f27ef42d",
    ] {
        assert_eq!(read(Some(content_type), text.as_bytes(), 2).unwrap().len(), 2);
    }
}

#[test]
fn a_batch_that_stopped_at_a_failure_has_fewer_parts() {
    let text = answer(&[MADE, REFUSED]);
    assert_eq!(told(&text, 9).unwrap().len(), 2);
    assert!(told(&answer(&[MADE]), 2).unwrap_err().contains("fewer"));
    assert!(told(&answer(&[]), 1).unwrap_err().contains("fewer"));
}

#[test]
fn what_does_not_fit_is_no_answer_at_all() {
    let whole = answer(&[MADE, MADE]);
    for (text, why) in [
        (answer(&[MADE, MADE, MADE]), "more parts"),
        (whole.trim_end().trim_end_matches('-').to_owned(), "ends in the middle"),
        (whole[..whole.len() / 2].to_owned(), "ends in the middle"),
        (whole.replace("application/http", "multipart/mixed; boundary=x"), "no HTTP"),
        (whole.replace("HTTP/1.1 204", "HTTP/1.1 099"), "no HTTP"),
        (whole.replace("HTTP/1.1 204", "204"), "no HTTP"),
        (answer(&[&MADE.replace("OData-V", &"X: y\r\n".repeat(99)), MADE]), "no HTTP"),
    ] {
        let found = told(&text, 2);
        assert!(found.as_ref().is_err_and(|error| error.contains(why)), "{why}: {found:?}");
    }
    let long = format!("multipart/mixed; boundary={}", "b".repeat(300));
    for content_type in [None, Some("application/json"), Some("multipart/mixed"), Some(&*long)] {
        assert!(read(content_type, whole.as_bytes(), 2).is_err(), "{content_type:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "--batchresponse_f27ef42d", "--", "\r\n", "\n", MADE, REFUSED, "HTTP/1.1 ",
                "204", ":", "\0", "é", "Content-Type: application/http\r\n\r\n",
            ]),
            0..30,
        ),
    ) {
        let text = pieces.concat();
        if let Ok(parts) = read(TYPE, text.as_bytes(), 3) {
            prop_assert!(parts.len() <= 3);
        }
    }
}
