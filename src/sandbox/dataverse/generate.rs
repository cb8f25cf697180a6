//! The data a fresh sandbox holds.
//!
//! Owns: fixed rows and seeded contacts with everything that real data does to
//! a reader: gaps, umlauts, emoji, full lengths, the ends of the calendar.

use uuid::Uuid;

use super::schema::{Behavior, Column, ColumnType, Role};
use super::store::Db;
use crate::sandbox::moment;
use crate::sandbox::row::{Cell, Fields};

/// A repeatable stream of numbers.
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x5EED_CD59_0C00_0001)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn signed(&mut self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).unwrap_or(0)
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(u64::try_from(list.len()).unwrap_or(1))).unwrap_or(0);
        list.get(at).copied().unwrap_or_default()
    }

    fn guid(&mut self) -> Uuid {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

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
const CITIES: [&str; 8] =
    ["Berlin", "København", "São Paulo", "Zürich", "東京", "St. John's", "Łódź", "Oslo"];
const JOBS: [&str; 6] = [
    "CEO",
    "Entwicklerin (C++/Rust)",
    "R&D <lead>",
    "\"Chief\" of Staff",
    "Buyer, EMEA",
    "100% Sales",
];

/// Fills a fresh database.
pub(crate) fn fill(db: &mut Db, seed: u64, contacts: usize, now: i64) {
    fixed_rows(db, now);
    let mut stream = Stream::new(seed);
    let Some(data) = db.table("contact") else {
        return;
    };
    let columns: Vec<Column> = data.def.columns.clone();
    for number in 0..contacts {
        let id = stream.guid();
        let fields = contact(db, &columns, &mut stream, number, now);
        // Generated keys are distinct, so nothing can be refused.
        let _ = db.put("contact", id, &fields);
    }
}

/// Column names with their values.
type Named = Vec<(&'static str, Cell<'static>)>;

fn fixed_rows(db: &mut Db, now: i64) {
    let fixed = db.fixed;
    let rows: [(&str, Uuid, Named); 5] = [
        (
            "organization",
            fixed.organization,
            vec![
                ("name", Cell::Text("Contoso".into())),
                ("expirechangetrackingindays", Cell::Int(7)),
                ("expiresubscriptionsindays", Cell::Int(90)),
                ("languagecode", Cell::Int(1033)),
            ],
        ),
        ("businessunit", fixed.unit, vec![("name", Cell::Text("Contoso".into()))]),
        (
            "systemuser",
            fixed.application,
            vec![
                ("fullname", Cell::Text("# cdsync".into())),
                ("isdisabled", Cell::Bool(false)),
                ("createdon", Cell::Time(now)),
            ],
        ),
        (
            "systemuser",
            fixed.person,
            vec![
                ("fullname", Cell::Text("Grace Hopper".into())),
                ("isdisabled", Cell::Bool(false)),
                ("createdon", Cell::Time(now)),
            ],
        ),
        (
            "transactioncurrency",
            fixed.currency,
            vec![
                ("currencyname", Cell::Text("Euro".into())),
                ("isocurrencycode", Cell::Text("EUR".into())),
            ],
        ),
    ];
    for (table, id, cells) in rows {
        let mut fields = Fields::new();
        for (name, cell) in cells {
            if let Some(column) = db.table(table).and_then(|data| data.def.column(name)) {
                fields.insert(column.number, cell);
            }
        }
        let _ = db.put(table, id, &fields);
    }
}

fn contact(db: &Db, columns: &[Column], stream: &mut Stream, number: usize, now: i64) -> Fields {
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

/// A value of any column's type, the edges now and then.
fn any(column: &Column, stream: &mut Stream) -> Option<Cell<'static>> {
    if let ColumnType::Boolean { default, .. } = &column.kind {
        return Some(Cell::Bool(*default != stream.one_in(8)));
    }
    if stream.one_in(3) {
        return None;
    }
    let edge = stream.one_in(40);
    match &column.kind {
        ColumnType::Uniqueidentifier => Some(Cell::Guid(stream.guid())),
        ColumnType::Text { max } | ColumnType::Memo { max } => {
            let text = if edge {
                "é".repeat((*max).min(200))
            } else {
                format!("{} {}", stream.pick(&CITIES), stream.below(999))
            };
            (text.chars().count() <= *max).then(|| Cell::Text(text.into()))
        }
        ColumnType::Integer { min, max } if edge => {
            Some(Cell::Int(if stream.one_in(2) { *min } else { *max }))
        }
        ColumnType::Integer { min, .. } => Some(Cell::Int((*min).max(0) + stream.signed(1000))),
        ColumnType::BigInt => Some(Cell::Int(stream.signed(1 << 50))),
        ColumnType::Decimal { precision, .. } => {
            let fraction = stream.below(100);
            let precision = *precision;
            Some(Cell::Decimal(format!("{}.{fraction:0precision$}", stream.below(10_000)).into()))
        }
        ColumnType::Money => Some(Cell::Decimal(
            format!("{}.{:04}", stream.below(1_000_000), stream.below(10_000)).into(),
        )),
        ColumnType::Double => {
            let part = u32::try_from(stream.below(180_000_000)).unwrap_or(0);
            Some(Cell::Double(f64::from(part) / 1_000_000.0 - 90.0))
        }
        ColumnType::Picklist(choices)
        | ColumnType::State(choices)
        | ColumnType::Status(choices) => {
            let at = usize::try_from(stream.below(u64::try_from(choices.len()).unwrap_or(1)))
                .unwrap_or(0);
            choices.get(at).map(|choice| Cell::Int(choice.value))
        }
        ColumnType::MultiSelect(choices) => {
            let chosen: Vec<String> = choices
                .iter()
                .filter(|_| stream.one_in(2))
                .map(|choice| choice.value.to_string())
                .collect();
            (!chosen.is_empty()).then(|| Cell::Text(chosen.join(",").into()))
        }
        ColumnType::DateTime { behavior: Behavior::DateOnly, .. } => {
            let (low, high) =
                (moment::days_from_civil(1900, 1, 1), moment::days_from_civil(9999, 12, 31));
            Some(Cell::Date(if edge { high } else { low + stream.signed(45_000) }))
        }
        ColumnType::DateTime { .. } => {
            let low = moment::days_from_civil(1753, 1, 1) * 86_400_000;
            let usual = moment::days_from_civil(2015, 1, 1) * 86_400_000;
            Some(Cell::Time(if edge {
                low
            } else {
                usual + stream.signed(10 * 365 * 86_400) * 1000
            }))
        }
        ColumnType::Boolean { .. } | ColumnType::Lookup { .. } => None,
    }
}
