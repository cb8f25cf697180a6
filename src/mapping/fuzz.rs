//! The fuzz target of this layer: numbers, dates and times out of any text.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use jiff::tz::TimeZone;

use super::dates::{Moment, cut_to_millis, date_of, read, start_of};
use super::file_dates::read_instant;
use crate::model::{DateForm, DatePart, Decimal, RecordId};

/// Zones whose days begin late, have gaps, and shift by odd minutes.
const ZONES: [&str; 4] = ["UTC", "Europe/Oslo", "America/Sao_Paulo", "Pacific/Chatham"];

/// A text taken for a number, a date, an id: what is understood is written in
/// one form only, which is understood in the same way.
pub(crate) fn values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    number(text);
    moment(text);
    if let Ok(id) = RecordId::parse(text) {
        let written = id.to_string();
        assert_eq!(RecordId::parse(&written), Ok(id));
        assert_eq!(written, written.to_ascii_lowercase());
    }
}

fn number(text: &str) {
    let Ok(number) = Decimal::parse(text) else { return };
    let written = number.as_str();
    assert_eq!(Decimal::parse(written).as_ref(), Ok(&number), "{text:?}");
    assert!(written.len() <= 402, "{} characters of {}", written.len(), text.len());
    assert!(!written.starts_with('+') && written != "-0" && !written.contains(['e', 'E']));
    assert!(!written.contains('.') || !written.ends_with(['0', '.']), "{written}");
    // As the library reads it, to its own precision.
    let (ours, theirs): (f64, f64) = (written.parse().unwrap(), text.parse().unwrap());
    assert_eq!(ours.abs().to_bits(), theirs.abs().to_bits(), "{text:?} is written {written}");
    if let Some(whole) = number.to_i64() {
        assert_eq!(Decimal::from(whole), number);
    }
    let zero = Decimal::from(0);
    assert_eq!(number.cmp(&zero), zero.cmp(&number).reverse());
    assert_eq!(number < zero, written.starts_with('-'));
}

fn moment(text: &str) {
    let numeric = [DatePart::Year, DatePart::Month, DatePart::Day];
    let [year, month, day] = numeric;
    let forms = [
        DateForm::Xml,
        DateForm::Numeric(numeric),
        DateForm::Numeric([day, month, year]),
        DateForm::Numeric([month, day, year]),
    ];
    for zone in ZONES.map(|name| TimeZone::get(name).unwrap()) {
        for form in forms {
            let Some(instant) = read_instant(text, form, &zone) else { continue };
            let cut = cut_to_millis(instant);
            assert!(cut <= instant && instant.duration_since(cut).as_millis() == 0);
            assert_eq!(cut_to_millis(cut), cut);
            // Written as we write it, every form of reading agrees.
            let written = instant.to_string();
            if written.starts_with('-') {
                continue;
            }
            assert_eq!(read_instant(&written, DateForm::Xml, &zone), Some(instant), "{text:?}");
        }
        let date = match read(text) {
            Some(Moment::Date(date)) => date,
            Some(Moment::Instant(instant, wall)) => {
                let apart = TimeZone::UTC.to_timestamp(wall).map(|it| it.duration_since(instant));
                assert!(apart.is_ok_and(|apart| apart.abs().as_secs() <= 18 * 3600 + 59 * 60));
                date_of(instant, &zone)
            }
            Some(Moment::Wall(wall)) => wall.date(),
            None => continue,
        };
        if let Ok(start) = start_of(date, &zone) {
            assert_eq!(date_of(start, &zone), date, "{text:?}");
            let before = start - jiff::SignedDuration::from_nanos(1);
            assert!(date_of(before, &zone) < date, "{text:?}");
        }
    }
}
