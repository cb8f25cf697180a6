//! Seeded contacts.
//!
//! Owns: their names and the gaps in their columns.

use super::stream::{CITIES, Stream, any};
use crate::sandbox::dataverse::schema::{Column, Role};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::row::{Cell, Fields};

const FIRST: [&str; 16] = [
    "Ann",
    "Bo",
    "Zoë",
    "Jürgen",
    "Ólafur",
    "Nguyễn",
    "O'Neil",
    "María José",
    "Łukasz",
    "Иван",
    "美咲",
    "Søren",
    "Aïcha",
    "Jean-Luc",
    "Renée",
    "X Æ",
];
const LAST: [&str; 16] = [
    "Lee",
    "Ek",
    "Müller-Lüdenscheidt",
    "O'Brien",
    "d'Artagnan",
    "García y Vega",
    "Þórðarson",
    "Smith",
    "Ñandú",
    "Кузнецов",
    "山田",
    "Straße",
    "van der Berg",
    "Null",
    "Öztürk",
    "McDonald",
];
const JOBS: [&str; 6] = [
    "CEO",
    "Entwicklerin (C++/Rust)",
    "R&D <lead>",
    "\"Chief\" of Staff",
    "Buyer, EMEA",
    "100% Sales",
];

/// The cells of one contact.
pub(super) fn contact(
    db: &Db,
    columns: &[Column],
    stream: &mut Stream,
    number: usize,
    now: i64,
) -> Fields {
    let created = now - stream.signed(5 * 365 * 86_400) * 1000 - 86_400_000;
    let created = created.div_euclid(1000) * 1000;
    let (first, last) = (stream.pick(&FIRST).to_owned(), stream.pick(&LAST).to_owned());
    let first = if stream.one_in(25) { None } else { Some(first) };
    let last = if stream.one_in(200) { "Ä".repeat(50) } else { format!("{last} {number}") };
    let inactive = stream.one_in(12);
    let mut fields = Fields::new();
    for column in columns.iter().filter(|column| column.role == Role::Plain) {
        let cell = match column.name.as_str() {
            "firstname" => first.clone().map(|text| Cell::Text(text.into())),
            "lastname" => Some(Cell::Text(last.clone().into())),
            "fullname" => {
                let full = first.iter().chain([&last]).cloned().collect::<Vec<_>>().join(" ");
                Some(Cell::Text(full.into()))
            }
            "middlename"
            | "masterid"
            | "parentcustomerid"
            | "overriddencreatedon"
            | "importsequencenumber" => None,
            "emailaddress1" => (!stream.one_in(15))
                .then(|| Cell::Text(format!("person+{number}@example.com").into())),
            "telephone1" | "mobilephone" | "fax" => (!stream.one_in(3))
                .then(|| Cell::Text(format!("+49 (30) {:08}", stream.below(100_000_000)).into())),
            "jobtitle" => (!stream.one_in(4)).then(|| Cell::Text(stream.pick(&JOBS).into())),
            "description" => {
                stream.one_in(4).then(|| Cell::Text("Line one\r\nLine two\t🎈".into()))
            }
            "address1_city" => Some(Cell::Text(stream.pick(&CITIES).into())),
            "new_extid" => (!stream.one_in(10)).then(|| Cell::Text(format!("E-{number}").into())),
            "createdon" => Some(Cell::Time(created)),
            "modifiedon" => {
                Some(Cell::Time(now.div_euclid(1000) * 1000 - stream.signed(86_400) * 1000))
            }
            "createdby" | "modifiedby" | "ownerid" => Some(Cell::Ref(db.fixed.person, 0)),
            "owningbusinessunit" => Some(Cell::Ref(db.fixed.unit, 0)),
            "transactioncurrencyid" => Some(Cell::Ref(db.fixed.currency, 0)),
            "statecode" => Some(Cell::Int(i64::from(inactive))),
            "statuscode" => Some(Cell::Int(1 + i64::from(inactive))),
            "merged" => Some(Cell::Bool(false)),
            _ => any(column, stream),
        };
        if let Some(cell) = cell {
            fields.insert(column.number, cell);
        }
    }
    fields
}
