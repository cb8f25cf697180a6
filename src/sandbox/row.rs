//! Rows as both look-alikes hold them: few bytes each, so that a million fit.
//!
//! Owns: the cell, its packed form and packing. Knows columns only by number.

use std::borrow::Cow;
use std::collections::BTreeMap;

use uuid::Uuid;

/// One stored value. Decimals stay text, so that their scale survives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// A yes or no.
    Bool(bool),
    /// An integer, a choice, or a row number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A text; multi-choices are their comma list.
    Text(Cow<'a, str>),
    /// A decimal number in its exact spelling.
    Decimal(Cow<'a, str>),
    /// An identifier.
    Guid(Uuid),
    /// A reference: the id and the place of its table among the targets.
    Ref(Uuid, u8),
    /// Milliseconds since 1970, UTC.
    Time(i64),
    /// Days since 1970.
    Date(i64),
}

impl Cell<'_> {
    /// The same value, owning its text.
    pub(crate) fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Bool(v) => Cell::Bool(v),
            Cell::Int(v) => Cell::Int(v),
            Cell::Double(v) => Cell::Double(v),
            Cell::Text(v) => Cell::Text(Cow::Owned(v.into_owned())),
            Cell::Decimal(v) => Cell::Decimal(Cow::Owned(v.into_owned())),
            Cell::Guid(v) => Cell::Guid(v),
            Cell::Ref(v, t) => Cell::Ref(v, t),
            Cell::Time(v) => Cell::Time(v),
            Cell::Date(v) => Cell::Date(v),
        }
    }

    /// The text of a text cell.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Cell::Text(v) => Some(v),
            Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Double(_)
            | Cell::Decimal(_)
            | Cell::Guid(_)
            | Cell::Ref(..)
            | Cell::Time(_)
            | Cell::Date(_) => None,
        }
    }

    /// The number of an integer cell.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Cell::Int(v) => Some(*v),
            Cell::Bool(_)
            | Cell::Text(_)
            | Cell::Double(_)
            | Cell::Decimal(_)
            | Cell::Guid(_)
            | Cell::Ref(..)
            | Cell::Time(_)
            | Cell::Date(_) => None,
        }
    }
}

/// A row laid open for changing: column number to value, empty columns absent.
pub(crate) type Fields = BTreeMap<u16, Cell<'static>>;

/// A row as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Packed(Box<[u8]>);

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, value.wrapping_shl(1).cast_unsigned() ^ (value >> 63).cast_unsigned());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, u64::try_from(text.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn put_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Bool(v) => out.push(u8::from(*v)),
        Cell::Int(v) => {
            out.push(2);
            put_signed(out, *v);
        }
        Cell::Double(v) => {
            out.push(3);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Cell::Text(v) => {
            out.push(4);
            put_text(out, v);
        }
        Cell::Decimal(v) => {
            out.push(5);
            put_text(out, v);
        }
        Cell::Guid(v) => {
            out.push(6);
            out.extend_from_slice(v.as_bytes());
        }
        Cell::Ref(v, target) => {
            out.push(7);
            out.push(*target);
            out.extend_from_slice(v.as_bytes());
        }
        Cell::Time(v) => {
            out.push(8);
            put_signed(out, *v);
        }
        Cell::Date(v) => {
            out.push(9);
            put_signed(out, *v);
        }
    }
}

impl Packed {
    /// Packs a row.
    pub(crate) fn pack(fields: &Fields) -> Self {
        let mut out = Vec::with_capacity(fields.len() * 8);
        for (column, cell) in fields {
            put_number(&mut out, u64::from(*column));
            put_cell(&mut out, cell);
        }
        Self(out.into_boxed_slice())
    }

    /// The cells in column order.
    pub(crate) fn cells(&self) -> Cells<'_> {
        Cells(&self.0)
    }

    /// One column's value.
    pub(crate) fn get(&self, column: u16) -> Option<Cell<'_>> {
        self.cells().find(|(at, _)| *at == column).map(|(_, cell)| cell)
    }

    /// The row laid open.
    pub(crate) fn unpack(&self) -> Fields {
        self.cells().map(|(column, cell)| (column, cell.into_owned())).collect()
    }
}

/// Walks a packed row.
pub(crate) struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).and_then(|head| head.first().copied())
    }

    fn number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> Option<i64> {
        let raw = self.number()?;
        Some((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok().map(Cow::Borrowed)
    }

    fn guid(&mut self) -> Option<Uuid> {
        Uuid::from_slice(self.take(16)?).ok()
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = (u16, Cell<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let column = u16::try_from(self.number()?).ok()?;
        let cell = match self.byte()? {
            0 => Cell::Bool(false),
            1 => Cell::Bool(true),
            2 => Cell::Int(self.signed()?),
            3 => Cell::Double(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            4 => Cell::Text(self.text()?),
            5 => Cell::Decimal(self.text()?),
            6 => Cell::Guid(self.guid()?),
            7 => {
                let target = self.byte()?;
                Cell::Ref(self.guid()?, target)
            }
            8 => Cell::Time(self.signed()?),
            9 => Cell::Date(self.signed()?),
            _ => return None,
        };
        Some((column, cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_row_comes_back_as_it_was() {
        let fields: Fields = [
            (0, Cell::Guid(Uuid::from_u128(7))),
            (1, Cell::Text("Zoë 🎈".into())),
            (2, Cell::Int(i64::MIN)),
            (3, Cell::Int(i64::MAX)),
            (4, Cell::Bool(true)),
            (5, Cell::Decimal("-20000.0000".into())),
            (300, Cell::Ref(Uuid::from_u128(9), 1)),
            (301, Cell::Time(-6_847_804_800_000)),
            (302, Cell::Date(-79_257)),
            (303, Cell::Double(0.1)),
        ]
        .into();
        let packed = Packed::pack(&fields);
        assert_eq!(packed.unpack(), fields);
        assert_eq!(packed.get(302), Some(Cell::Date(-79_257)));
        assert_eq!(packed.get(6), None);
    }
}
