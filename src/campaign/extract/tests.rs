//! Files of every shape, whole and in pieces.

use std::io::Write as _;

use super::*;
use crate::model::Compression;

type Read = Result<(Vec<String>, Vec<Vec<String>>), ExtractError>;

fn read_in(pieces: usize, bytes: &[u8], format: &FileFormat) -> Read {
    let mut extract = Extract::new(format);
    let mut rows = Vec::new();
    for piece in bytes.chunks(pieces) {
        extract.push(piece, &mut rows)?;
    }
    extract.finish(&mut rows)?;
    let header = extract.header().unwrap_or_default().to_vec();
    Ok((header, rows.into_iter().map(|row| row.values).collect()))
}

/// The same, whatever the pieces are.
#[track_caller]
fn read(bytes: &[u8], format: &FileFormat) -> Read {
    let whole = read_in(usize::MAX, bytes, format);
    for pieces in [1, 2, 3, 7] {
        assert_eq!(read_in(pieces, bytes, format), whole, "in pieces of {pieces}");
    }
    whole
}

fn lines(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut rows =
        text.lines().map(|line| line.split('|').map(str::to_owned).collect::<Vec<String>>());
    (rows.next().unwrap(), rows.collect())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn usual() -> FileFormat {
    FileFormat::default()
}

#[test]
fn separators_quotes_and_line_ends_are_what_the_format_says() {
    let tab = FileFormat { separator: b'\t', ..usual() };
    let single = FileFormat { separator: b';', quote: Some(b'\''), ..usual() };
    let bare = FileFormat { quote: None, ..usual() };
    for (text, format, expected) in [
        ("a,b\n1,2\n", usual(), "a|b\n1|2"),
        ("a,b\r\n1,2\r\n3,4", usual(), "a|b\n1|2\n3|4"),
        ("a,b\n1,2\r\n\r\n\n3,4\n", usual(), "a|b\n1|2\n3|4"),
        (" a , B \n1,2\n", usual(), "a|B\n1|2"),
        ("a\tb\n1\t\n", tab, "a|b\n1|"),
        ("a;b\n'1;''2';3\n", single, "a|b\n1;'2|3"),
        ("a,b\n\"1,\"\"2\",\"3\"\n", usual(), "a|b\n1,\"2|3"),
        ("a,b\n\"1,2\n", bare, "a|b\n\"1|2"),
        ("a,b\n", usual(), "a|b"),
        ("a,b", usual(), "a|b"),
        ("a\nx\n", usual(), "a\nx"),
    ] {
        assert_eq!(read(text.as_bytes(), &format), Ok(lines(expected)), "{text:?}");
    }
    let multi_line = read(b"a,b\n\"1\r\n2\",3\n4,5\n", &usual()).unwrap().1;
    assert_eq!(multi_line[0][0], "1\r\n2");
}

#[test]
fn a_row_with_more_or_fewer_values_is_given_out_as_it_is() {
    let rows = read(b"a,b\n1\n1,2,3\n4,5\n", &usual()).unwrap().1;
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3, 2]);
}

/// Found by the fuzz target: a cut right behind such a row glued it to the next,
/// whose values were then told of other columns.
#[test]
fn a_row_of_one_empty_value_ends_there_wherever_the_bytes_are_cut() {
    let expected = lines("a\n\n1");
    assert_eq!(read(b"a\n\"\"\n1\n", &usual()), Ok(expected.clone()));
    assert_eq!(read(b"a\r\n\"\"\r\n1", &usual()), Ok(expected));
    // As many line ends as it takes to fill a buffer, within quotes.
    let long = "\n".repeat(9000);
    let text = format!("a\n\"{long}\"\n");
    assert_eq!(read(text.as_bytes(), &usual()), Ok((vec!["a".to_owned()], vec![vec![long]])));
}

#[test]
fn text_is_read_in_the_encoding_that_the_file_has() {
    let cp1252 = FileFormat { encoding: encoding_rs::WINDOWS_1252, ..usual() };
    let expected = Ok(lines("näme\nGrüße €"));
    assert_eq!(read("näme\nGrüße €\n".as_bytes(), &usual()), expected);
    assert_eq!(read("\u{feff}näme\nGrüße €\n".as_bytes(), &usual()), expected);
    assert_eq!(read(b"n\xe4me\nGr\xfc\xdfe \x80\n", &cp1252), expected);
    let utf16: Vec<u8> =
        "\u{feff}näme\nGrüße €\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16, &usual()), expected);
    let big: Vec<u8> =
        "\u{feff}näme\nGrüße €\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(read(&big, &cp1252), expected, "the mark says more than the configuration");
}

#[test]
fn gzip_is_known_by_its_content_and_has_the_digest_of_what_is_in_it() {
    let text = b"a,b\n1,2\n".as_slice();
    let packed = gzip(text);
    assert_eq!(read(&packed, &usual()), read(text, &usual()));
    let digest = |bytes: &[u8]| {
        let mut extract = Extract::new(&usual());
        let mut rows = Vec::new();
        extract.push(bytes, &mut rows).unwrap();
        extract.finish(&mut rows).unwrap()
    };
    assert_eq!(digest(&packed), digest(text));
    assert_ne!(digest(b"a,b\n1,3\n"), digest(text));
    let twice = [packed.as_slice(), &gzip(b"3,4\n")].concat();
    assert_eq!(read(&twice, &usual()), Ok(lines("a|b\n1|2\n3|4")));
    let forced = FileFormat { compression: Compression::Gzip, ..usual() };
    assert_eq!(read(text, &forced), Err(ExtractError::NotPacked));
}

#[test]
fn a_file_that_was_cut_off_is_refused_wherever_it_was_cut() {
    let text = b"id,name\n1,Ann\n2,\"Bo\nb\"\n".as_slice();
    let packed = gzip(text);
    for end in 2..packed.len() {
        assert!(read(&packed[..end], &usual()).is_err(), "packed, cut at {end}");
    }
    for (end, expected) in [
        (0, ExtractError::Empty),
        (15, ExtractError::CutOff { line: 3 }),
        (16, ExtractError::OpenQuote { line: 3 }),
        (17, ExtractError::OpenQuote { line: 3 }),
        (21, ExtractError::OpenQuote { line: 3 }),
    ] {
        // The values of a row without its end may be whole: only fewer of them
        // tell that it was cut.
        let found = read(&text[..end], &usual());
        if end == 16 {
            assert_eq!(found.unwrap().1.len(), 2, "an empty last value");
        } else {
            assert_eq!(found, Err(expected), "cut at {end}");
        }
    }
}

#[test]
fn what_no_export_would_hold_is_refused_with_its_line() {
    let wide = format!("a\n{}\n", "x,".repeat(MAX_COLUMNS));
    let long = format!("a,b\n1,2\n{}", "x".repeat(MAX_ROW_BYTES + 1));
    for (bytes, expected) in [
        (b"".as_slice(), ExtractError::Empty),
        (b"\n\n", ExtractError::Empty),
        (b"a,b\n1,2\n3,\xff\n", ExtractError::Encoding { line: 3, encoding: "UTF-8" }),
        (b"a,b\n1,\xc3", ExtractError::Encoding { line: 2, encoding: "UTF-8" }),
        (b"id,a,ID\n", ExtractError::SameName { first: 1, second: 3 }),
        (wide.as_bytes(), ExtractError::TooManyColumns { line: 2 }),
        (long.as_bytes(), ExtractError::RowTooLong { line: 3 }),
        (b"PK\x03\x04....", ExtractError::OtherPacking("zip")),
        (b"\x1f\x8b\x08\x00junkjunkjunk", ExtractError::Packing),
        (b"a,b\n1,\"2\n3,4\n5,6\n", ExtractError::OpenQuote { line: 2 }),
    ] {
        let whole = read_in(4096, bytes, &usual());
        assert_eq!(whole, Err(expected), "{}", bytes.escape_ascii().to_string().len());
    }
}

#[test]
fn a_small_file_cannot_unpack_to_a_large_one() {
    let mut bomb = gzip(b"a,b\n");
    bomb.extend(gzip(&"1,2\n".repeat(3 << 20).into_bytes()));
    assert_eq!(read_in(64 * 1024, &bomb, &usual()), Err(ExtractError::Bomb));
}

#[test]
fn the_last_row_waits_for_the_end_of_the_file() {
    let mut extract = Extract::new(&usual());
    let mut rows = Vec::new();
    extract.push(b"a,b\n1,2\n3,4\n", &mut rows).unwrap();
    assert_eq!(rows, [Row { line: 2, values: vec!["1".into(), "2".into()] }]);
    extract.finish(&mut rows).unwrap();
    assert_eq!(rows[1].line, 3);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(0_u8..=255, 0..400)) {
        let _ = read_in(5, &bytes, &usual());
        let _ = read_in(5, &gzip(&bytes), &FileFormat { quote: None, ..usual() });
    }

    #[test]
    fn what_was_written_is_read(rows in proptest::collection::vec(
        proptest::collection::vec("[a-z,\"\n\r ;é]{0,6}", 3), 0..8,
    )) {
        let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        let mut text = "x,y,z\n".to_owned();
        for row in &rows {
            let row: Vec<String> = row.iter().map(quoted).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
        proptest::prop_assert_eq!(read_in(3, text.as_bytes(), &usual()).unwrap().1, rows);
    }
}
