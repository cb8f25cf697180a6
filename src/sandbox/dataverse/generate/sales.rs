//! Seeded rows of the sales and marketing tables: a few, all linked.
//!
//! Owns: how many there are for how many contacts.

use uuid::Uuid;

use super::rows::{Own, link, past, rows, text};
use super::stream::{CITIES, Stream};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::row::Cell;

const ROLES: [&str; 4] = ["Decision Maker", "Influencer", "Stakeholder", "Käufer"];
/// Places of the targets in the lookups `customerid` and `entityid`.
const ACCOUNT: u8 = 0;
const CONTACT: u8 = 1;
const LEAD: u8 = 2;

/// Members of one list at most.
const MEMBERS: usize = 50;

/// Fills these tables; without contacts they stay empty.
pub(super) fn fill(db: &mut Db, seed: u64, people: &[Uuid], now: i64) {
    if people.is_empty() {
        return;
    }
    let mut stream = Stream::new(seed ^ 0x5A1E_5000_0000_0001);
    let some = people.len().div_ceil(10);
    let accounts = accounts(db, &mut stream, people, some, now);
    let leads = leads(db, &mut stream, some, now);
    let deals = opportunities(db, &mut stream, &accounts, people, some, now);
    parts(db, &mut stream, &deals, people, now);
    rows(db, &mut stream, "campaign", some.min(12), now, |column, stream, number| match column {
        "name" => text(format!("Campaign {} {number}", stream.pick(&CITIES))),
        "codename" => text(format!("CMP-{number:04}")),
        _ => Own::Any,
    });
    lists(db, &mut stream, &[&accounts, people, &leads], now);
}

fn accounts(
    db: &mut Db,
    stream: &mut Stream,
    people: &[Uuid],
    count: usize,
    now: i64,
) -> Vec<Uuid> {
    rows(db, stream, "account", count, now, |column, stream, number| match column {
        "name" => text(format!("{} & Söhne {number}", stream.pick(&CITIES))),
        "accountnumber" => text(format!("A-{number}")),
        "emailaddress1" => text(format!("office+{number}@example.com")),
        "websiteurl" => text(format!("https://example.com/{number}?a=1&b=2")),
        "primarycontactid" => link(stream.one_of(people).filter(|_| number % 4 != 3), 0),
        "parentaccountid" => Own::Null,
        _ => Own::Any,
    })
}

fn leads(db: &mut Db, stream: &mut Stream, count: usize, now: i64) -> Vec<Uuid> {
    rows(db, stream, "lead", count, now, |column, stream, number| match column {
        "firstname" => text("Lea"),
        "lastname" => text(format!("Interest {number}")),
        "fullname" => text(format!("Lea Interest {number}")),
        "subject" => text(format!("Asks for a boat in {}", stream.pick(&CITIES))),
        "emailaddress1" => text(format!("lead+{number}@example.com")),
        _ => Own::Any,
    })
}

fn opportunities(
    db: &mut Db,
    stream: &mut Stream,
    accounts: &[Uuid],
    people: &[Uuid],
    count: usize,
    now: i64,
) -> Vec<Uuid> {
    rows(db, stream, "opportunity", count, now, |column, stream, number| match column {
        "name" => text(format!("{} boats for {}", number + 2, stream.pick(&CITIES))),
        "parentaccountid" => link(stream.one_of(accounts).filter(|_| number % 5 != 4), 0),
        "parentcontactid" => link(stream.one_of(people).filter(|_| number % 3 != 2), 0),
        "customerid" if number % 2 == 0 => link(stream.one_of(accounts), ACCOUNT),
        "customerid" => link(stream.one_of(people), CONTACT),
        _ => Own::Any,
    })
}

/// Roles in opportunities, said in both ways.
fn parts(db: &mut Db, stream: &mut Stream, deals: &[Uuid], people: &[Uuid], now: i64) {
    let names = |column: &str, _: &mut Stream, number: usize| match column {
        "name" => text(ROLES.get(number).copied().unwrap_or_default()),
        _ => Own::Any,
    };
    let kinds = rows(db, stream, "relationshiprole", ROLES.len(), now, names);
    rows(db, stream, "customeropportunityrole", deals.len(), now, |column, stream, number| {
        match column {
            "customerid" => link(stream.one_of(people), CONTACT),
            "opportunityid" => link(deals.get(number).copied(), 0),
            "opportunityroleid" => link(stream.one_of(&kinds), 0),
            _ => Own::Any,
        }
    });
    let kinds = rows(db, stream, "connectionrole", ROLES.len(), now, names);
    // Each connection has a mirrored row; the two name each other.
    let pairs: Vec<(Uuid, Uuid, Uuid)> = deals
        .iter()
        .filter_map(|deal| Some((*deal, stream.one_of(people)?, stream.one_of(&kinds)?)))
        .collect();
    let first = rows(db, stream, "connection", pairs.len(), now, |column, _, number| {
        pairs.get(number).map_or(Own::Null, |pair| connected(column, *pair, true, None))
    });
    let second = rows(db, stream, "connection", pairs.len(), now, |column, _, number| {
        let other = first.get(number).copied();
        pairs.get(number).map_or(Own::Null, |pair| connected(column, *pair, false, other))
    });
    let Some(related) = db
        .table("connection")
        .and_then(|data| data.def.column("relatedconnectionid"))
        .map(|column| column.number)
    else {
        return;
    };
    for (one, other) in first.into_iter().zip(second) {
        if let Some(mut fields) = db.fields("connection", one) {
            fields.insert(related, Cell::Ref(other, 0));
            let _ = db.put("connection", one, &fields);
        }
    }
}

fn connected(
    column: &str,
    (deal, person, kind): (Uuid, Uuid, Uuid),
    from_person: bool,
    other: Option<Uuid>,
) -> Own {
    // Places in the targets of `record1id` and `record2id`.
    let (contact, opportunity) = (Cell::Ref(person, 1), Cell::Ref(deal, 3));
    match column {
        "record1id" => Own::Is(if from_person { contact } else { opportunity }),
        "record2id" => Own::Is(if from_person { opportunity } else { contact }),
        "record1roleid" => link(Some(kind).filter(|_| from_person), 0),
        "record2roleid" => link(Some(kind).filter(|_| !from_person), 0),
        "relatedconnectionid" => link(other, 0),
        "name" => text(if from_person { "Opportunity" } else { "Contact" }),
        "effectiveend" => Own::Null,
        _ => Own::Any,
    }
}

/// Lists of contacts, accounts and leads; each fourth one is dynamic and has
/// no stored members.
fn lists(db: &mut Db, stream: &mut Stream, sources: &[&[Uuid]; 3], now: i64) {
    let count = sources[1].len().div_ceil(20).min(8);
    // What a list is of: code, place of the target, logical name.
    let kinds = [(2, CONTACT, "contact"), (1, ACCOUNT, "account"), (4, LEAD, "lead")];
    let kind = |number: usize| kinds.get(number % kinds.len()).copied().unwrap_or(kinds[0]);
    let made = rows(db, stream, "list", count, now, |column, stream, number| match column {
        "listname" => text(format!("List {} {number}", stream.pick(&CITIES))),
        "type" => Own::Is(Cell::Bool(number % 4 == 3)),
        "createdfromcode" => Own::Is(Cell::Int(kind(number).0)),
        "query" => (number % 4 == 3).then(|| Cell::Text(QUERY.into())).into(),
        "lastusedon" => Own::Is(Cell::Time(past(now, stream, 90))),
        _ => Own::Any,
    });
    for (number, list) in made.into_iter().enumerate().filter(|(number, _)| number % 4 != 3) {
        let (_, place, name) = kind(number);
        let members = sources.get(usize::from(place)).copied().unwrap_or_default();
        let members: Vec<Uuid> =
            members.iter().copied().skip(number).step_by(4).take(MEMBERS).collect();
        rows(db, stream, "listmember", members.len(), now, |column, _, at| match column {
            "listid" => link(Some(list), 0),
            "entityid" => link(members.get(at).copied(), place),
            "entitytype" => text(name),
            _ => Own::Any,
        });
    }
}

const QUERY: &str =
    r#"<fetch><entity name="contact"><attribute name="contactid" /></entity></fetch>"#;
