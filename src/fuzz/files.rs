//! The fuzz target of delimited files: packing, encoding, rows, and what the
//! rows of an export of opt-outs and of the two logs tell.

use std::collections::BTreeSet;

use crate::campaign::extract::{Digest, Extract, ExtractError, MAX_COLUMNS, MAX_ROW_BYTES, Row};
use crate::fuzz::{first_line, quiet};
use crate::mapping::events::UnsureBounces;
use crate::mapping::logs::{LogKind, LogReader, LogRow, LogSpec};
use crate::mapping::{FlagColumns, FlagReader, OptoutFiles};
use crate::model::{Compression, DateForm, DatePart, EventKind, FieldName, FileFormat, Pattern};

/// A file: the input is a line with its format, then its bytes. The same rows
/// come however the bytes are cut into pieces.
pub(super) fn csv(data: &[u8]) {
    let (first, file) = first_line(data);
    let format = format(first);
    let size = first.last().map_or(1, |byte| usize::from(*byte).max(1));
    let whole = extract(&format, file, file.len());
    let pieces = extract(&format, file, size);
    // Where packed bytes are damaged, it depends on the pieces how many are used.
    if !file.starts_with(&[0x1f, 0x8b]) || whole.2.is_ok() || pieces.2.is_ok() {
        assert_eq!(whole, pieces, "pieces of {size} bytes");
    }
    let (header, rows, digest) = whole;
    if let Err(error) = &digest {
        quiet(error);
    }
    let Some(header) = header else {
        assert!(rows.is_empty());
        return;
    };
    assert!(header.len() <= MAX_COLUMNS);
    let mut last = 0;
    for row in &rows {
        // A lone carriage return ends a row and no line.
        assert!(row.line >= last && row.values.len() <= MAX_COLUMNS);
        // A byte of an encoding may become three.
        assert!(row.values.iter().map(String::len).sum::<usize>() <= 3 * MAX_ROW_BYTES);
        last = row.line;
    }
    if digest.is_ok() {
        assert!(rows.last().is_none_or(|row| row.values.len() >= header.len()));
    }
    flags(&format, &header, &rows);
    logs(&format, &header, &rows);
}

type Extracted = (Option<Vec<String>>, Vec<Row>, Result<Digest, ExtractError>);

fn extract(format: &FileFormat, file: &[u8], size: usize) -> Extracted {
    let (mut extract, mut rows) = (Extract::new(format), Vec::new());
    let mut pieces = file.chunks(size.max(1));
    let pushed = pieces.try_for_each(|piece| extract.push(piece, &mut rows));
    let digest = pushed.and_then(|()| extract.finish(&mut rows));
    (extract.header().map(<[String]>::to_vec), rows, digest)
}

/// Letters of the first line choose; without any it is the usual format.
fn format(letters: &[u8]) -> FileFormat {
    let mut format = FileFormat::default();
    for letter in letters {
        match letter {
            b';' | b'\t' | b'|' => format.separator = *letter,
            b'q' => format.quote = None,
            b'\'' => format.quote = Some(b'\''),
            b'w' => format.encoding = encoding_rs::WINDOWS_1252,
            b'u' => format.encoding = encoding_rs::UTF_16LE,
            b'j' => format.encoding = encoding_rs::SHIFT_JIS,
            b'z' => format.compression = Compression::Gzip,
            b'p' => format.compression = Compression::None,
            b'd' => {
                let order = [DatePart::Day, DatePart::Month, DatePart::Year];
                format.dates = DateForm::Numeric(order);
            }
            _ => {}
        }
    }
    format
}

fn flags(format: &FileFormat, header: &[String], rows: &[Row]) {
    let names = ["blackListEmail", "blackListMobile"].map(|name| FieldName::new(name).unwrap());
    let files = OptoutFiles {
        directory: String::new(),
        pattern: Pattern::new("*").unwrap(),
        contact: "externalId".into(),
        columns: names.iter().map(FlagColumns::usual).collect(),
        format: format.clone(),
        delete: false,
        settle: std::time::Duration::ZERO,
        marker: None,
        alarm: None,
    };
    let reader = match FlagReader::new(&files, &names, header) {
        Ok(reader) => reader,
        Err(told) => return quiet(&told),
    };
    for row in rows {
        match reader.read(&row.values) {
            Ok(told) => {
                assert_eq!(told.flags.len(), names.len());
                let key = told.key.as_deref();
                assert!(key.is_none_or(
                    |key| !key.is_empty() && row.values.iter().any(|it| it.trim() == key)
                ));
            }
            Err(told) => quiet(&told),
        }
    }
}

fn logs(format: &FileFormat, header: &[String], rows: &[Row]) {
    let kinds: BTreeSet<EventKind> =
        [EventKind::Send, EventKind::Open, EventKind::Click, EventKind::Bounce].into();
    for kind in [LogKind::Delivery, LogKind::Tracking] {
        let spec = LogSpec::usual(kind, Pattern::new("*").unwrap());
        let on = (&kinds, UnsureBounces::Quarantined);
        let reader = match LogReader::new(&spec, format, on, header) {
            Ok(reader) => reader,
            Err(missing) => {
                quiet(&missing);
                continue;
            }
        };
        for row in rows {
            match reader.read(&row.values) {
                LogRow::Event(event) => {
                    assert!(kind.events().contains(&event.kind));
                    assert!(!event.id.is_empty() && event.id.len() <= 512);
                    assert!(!event.contact.is_empty() && event.contact.len() <= 512);
                    assert!(event.url.is_none() || event.kind == EventKind::Click);
                }
                LogRow::Filtered => {}
                LogRow::Bad(told) => quiet(&told),
            }
        }
    }
}
