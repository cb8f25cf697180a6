//! From text to rows: separators, quotes, line ends, and the header.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{ExtractError, MAX_COLUMNS, MAX_ROW_BYTES, Row};

/// Cuts text into rows. Both buffers have the size of the caps at most, so that
/// a row without end ends in an error and not in memory.
pub(super) struct Table {
    reader: Reader,
    header: Option<Vec<String>>,
    /// The values of the row that is being read, one after the other.
    text: Vec<u8>,
    filled: usize,
    /// Where each ends.
    ends: Vec<usize>,
    fields: usize,
    /// Whether a row is being read. A quote that opens leaves no other trace.
    begun: bool,
    /// Where the row that is being read begins.
    line: u64,
    /// Held back until it is known whether another one follows.
    held: Option<Row>,
}

impl Table {
    pub(super) fn new(separator: u8, quote: Option<u8>) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(separator).quoting(quote.is_some());
        if let Some(quote) = quote {
            builder.quote(quote);
        }
        Self {
            reader: builder.build(),
            header: None,
            text: vec![0; 4096],
            filled: 0,
            // One more, to see that there are too many.
            ends: vec![0; MAX_COLUMNS + 1],
            fields: 0,
            begun: false,
            line: 1,
            held: None,
        }
    }

    pub(super) fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// The line that is being read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.reader.line()
    }

    /// Takes the next text. An empty one is not the end.
    pub(super) fn push(
        &mut self,
        mut text: &[u8],
        rows: &mut Vec<Row>,
    ) -> Result<(), ExtractError> {
        while !text.is_empty() {
            if !self.begun {
                // Line ends between rows come first, for the line number.
                let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                if blank > 0 {
                    let (between, rest) = text.split_at(blank);
                    let _ = self.step(between);
                    text = rest;
                    continue;
                }
                self.line = self.reader.line();
                self.begun = true;
            }
            let (result, read) = self.step(text);
            text = text.get(read..).unwrap_or_default();
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
                ReadRecordResult::OutputFull => self.grow()?,
                ReadRecordResult::OutputEndsFull => {
                    return Err(ExtractError::TooManyColumns { line: self.line });
                }
                ReadRecordResult::Record => self.complete(rows)?,
            }
        }
        Ok(())
    }

    /// The end of the text: gives out the last row.
    pub(super) fn finish(&mut self, rows: &mut Vec<Row>) -> Result<(), ExtractError> {
        let before = self.filled;
        self.push(b"\n", rows)?;
        if self.filled > before {
            // Outside quotes a line end is never part of a value.
            return Err(ExtractError::OpenQuote { line: self.line });
        }
        let Some(columns) = self.header.as_ref().map(Vec::len) else {
            return Err(ExtractError::Empty);
        };
        if let Some(last) = self.held.take() {
            if last.values.len() < columns {
                return Err(ExtractError::CutOff { line: last.line });
            }
            rows.push(last);
        }
        Ok(())
    }

    fn step(&mut self, text: &[u8]) -> (ReadRecordResult, usize) {
        let out = self.text.get_mut(self.filled..).unwrap_or_default();
        let ends = self.ends.get_mut(self.fields..).unwrap_or_default();
        let (result, read, written, ended) = self.reader.read_record(text, out, ends);
        self.filled += written;
        self.fields += ended;
        (result, read)
    }

    fn grow(&mut self) -> Result<(), ExtractError> {
        if self.text.len() >= MAX_ROW_BYTES {
            return Err(ExtractError::RowTooLong { line: self.line });
        }
        self.text.resize((self.text.len() * 2).min(MAX_ROW_BYTES), 0);
        Ok(())
    }

    fn complete(&mut self, rows: &mut Vec<Row>) -> Result<(), ExtractError> {
        if self.fields > MAX_COLUMNS {
            return Err(ExtractError::TooManyColumns { line: self.line });
        }
        let mut start = 0;
        let ends = self.ends.iter().take(self.fields);
        let values: Vec<String> = ends
            .map(|end| {
                let value = self.text.get(start..*end).unwrap_or_default();
                start = *end;
                String::from_utf8_lossy(value).into_owned()
            })
            .collect();
        (self.filled, self.fields, self.begun) = (0, 0, false);
        if self.header.is_none() {
            return self.begin(&values);
        }
        let row = Row { line: self.line, values };
        rows.extend(self.held.replace(row));
        Ok(())
    }

    fn begin(&mut self, names: &[String]) -> Result<(), ExtractError> {
        let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        for (second, name) in names.iter().enumerate() {
            let before = names.iter().take(second);
            let twin = before.enumerate().find(|(_, other)| other.eq_ignore_ascii_case(name));
            if let (Some((first, _)), false) = (twin, name.is_empty()) {
                return Err(ExtractError::SameName { first: first + 1, second: second + 1 });
            }
        }
        self.header = Some(names);
        Ok(())
    }
}
