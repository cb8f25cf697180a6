//! What rows tell, by header and words.

use std::collections::BTreeSet;

use super::{LogColumn, LogKind, LogReader, LogRow, LogSpec};
use crate::mapping::events::UnsureBounces;
use crate::model::{EventKind, FileFormat, Pattern};

fn spec(kind: LogKind) -> LogSpec {
    let mut spec = LogSpec::usual(kind, Pattern::new("*.csv").unwrap());
    spec.columns.push((LogColumn::Proof, "proof".to_owned()));
    spec.columns.push((LogColumn::Channel, "deliveryType".to_owned()));
    if kind == LogKind::Delivery {
        spec.columns.push((LogColumn::Reason, "failureReason".to_owned()));
    }
    spec
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn reader(kind: LogKind, header: &str, kinds: &[EventKind]) -> Result<LogReader, String> {
    let kinds: BTreeSet<_> = kinds.iter().copied().collect();
    let format = FileFormat::default();
    LogReader::new(&spec(kind), &format, (&kinds, UnsureBounces::Quarantined), &words(header))
        .map_err(|missing| missing.to_string())
}

/// `kind id`, `filtered` or the reason.
fn told(kind: LogKind, header: &str, row: &str) -> String {
    match reader(kind, header, &EventKind::ALL).unwrap().read(&words(row)) {
        LogRow::Event(event) => format!("{} {}", event.kind, event.id),
        LogRow::Filtered => "filtered".to_owned(),
        LogRow::Bad(reason) => reason,
    }
}

const DELIVERY: &str = "id,externalId,eventDate,status,failureReason,proof,deliveryType";

#[test]
fn a_row_of_the_delivery_log_is_a_send_a_bounce_or_nothing() {
    const AT: &str = "2026-03-01T12:00:00Z";
    for (row, expected) in [
        (format!("1,c,{AT},Sent,,,"), "send 1"),
        (format!(" 1 ,c,{AT}, sent ,,0,Email"), "send 1"),
        (format!("1,c,{AT},1,,,0"), "send 1"),
        (format!("1,c,{AT},Failed,,,"), "bounce 1"),
        (format!("1,c,{AT},2,User unknown,,"), "bounce 1"),
        (format!("1,c,{AT},2,Mailbox full,,"), "filtered"),
        (format!("1,c,{AT},2,Unreachable,,"), "filtered"),
        (format!("1,c,{AT},Pending,,,"), "filtered"),
        (format!("1,c,{AT},0,,,"), "filtered"),
        (format!("1,c,{AT},Sent,,true,"), "filtered"),
        (format!("1,c,{AT},Sent,,1,"), "filtered"),
        (format!("1,c,{AT},Sent,,,1"), "filtered"),
        (format!("1,c,{AT},Sent,,,Mobile (SMS)"), "filtered"),
        (",,,Sent,,1,".to_owned(), "filtered"),
    ] {
        assert_eq!(told(LogKind::Delivery, DELIVERY, &row), expected, "{row}");
    }
}

#[test]
fn a_row_of_the_tracking_log_is_an_open_a_click_or_nothing() {
    let header = "urlSource,TYPE,logdate,externalid,ID,campaign";
    let read = |row: &str| {
        let reader = reader(LogKind::Tracking, header, &EventKind::ALL).unwrap();
        match reader.read(&words(row)) {
            LogRow::Event(event) => Some((event.kind, event.url, event.campaign)),
            LogRow::Filtered | LogRow::Bad(_) => None,
        }
    };
    let (at, url) = ("2026-03-01 12:00:00.000Z", "https://shop.example/1");
    let click = (EventKind::Click, Some(url.to_owned()), Some("CMP1".to_owned()));
    assert_eq!(read(&format!("{url},Email click,{at},c,9,CMP1")), Some(click));
    assert_eq!(read(&format!("{url},2,{at},c,9,")), Some((EventKind::Open, None, None)));
    assert_eq!(read(&format!("{url},Mirror page,{at},c,9,")), None);
}

#[test]
fn what_cannot_be_understood_is_told_by_column_and_never_by_value() {
    let at = "2026-03-01T12:00:00Z";
    for row in [
        "1,c,secret,Sent,,,".to_owned(),
        format!("1,,{at},Sent,,,"),
        format!(",c,{at},Sent,,,"),
        format!("1,c,{at},secret,,,"),
        format!("1,c,{at},,,,"),
        format!("1,c,{at},Sent,,,,secret"),
        format!("{},c,{at},Sent,,,", "secret".repeat(100)),
    ] {
        let reason = told(LogKind::Delivery, DELIVERY, &row);
        assert!(reason.contains("column") && !reason.contains("secret"), "{reason}");
    }
}

#[test]
fn a_column_is_named_as_in_the_file_with_its_key_in_the_configuration() {
    let mut spec = spec(LogKind::Delivery);
    let id = spec.columns.iter_mut().find(|(column, _)| *column == LogColumn::Id).unwrap();
    id.1 = "broadLogId".to_owned();
    let (kinds, format) = (EventKind::ALL.into(), FileFormat::default());
    let header = words(&DELIVERY.replacen("id", "broadLogId", 1));
    let rules = (&kinds, UnsureBounces::Quarantined);
    let reader = LogReader::new(&spec, &format, rules, &header).unwrap();
    let read = |id: &str| reader.read(&words(&format!("{id},c,2026-03-01T12:00:00Z,Sent,,,")));
    let LogRow::Bad(reason) = read("") else { panic!("no id") };
    assert_eq!(reason, "the column `broadLogId` (id) is empty");
    assert!(matches!(read(&"1".repeat(512)), LogRow::Event(_)));
    let LogRow::Bad(reason) = read(&"1".repeat(513)) else { panic!("too long") };
    assert_eq!(reason, "the column `broadLogId` (id) is longer than 512 bytes");
}

#[test]
fn kinds_that_are_off_are_filtered_even_where_the_row_is_bad() {
    let reader = reader(LogKind::Delivery, DELIVERY, &[EventKind::Bounce]).unwrap();
    assert_eq!(reader.read(&words("1,,never,Sent,,,")), LogRow::Filtered);
}

#[test]
fn a_header_needs_four_columns_in_any_order_and_case() {
    assert!(reader(LogKind::Delivery, "STATUS,EventDate,externalid,Id", &[]).is_ok());
    for (header, key) in [
        ("externalId,eventDate,status", "delivery_log.columns.id"),
        ("id,eventDate,status", "delivery_log.columns.contact"),
        ("id,externalId,status", "delivery_log.columns.time"),
        ("id,externalId,eventDate", "delivery_log.columns.status"),
    ] {
        let missing = reader(LogKind::Delivery, header, &[]).unwrap_err();
        assert!(missing.contains(key), "{missing}");
    }
}
