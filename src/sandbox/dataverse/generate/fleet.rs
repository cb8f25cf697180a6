//! Seeded vehicles of contacts and service visits of vehicles.
//!
//! Owns: how many there are for how many contacts, and which have no parent.

use uuid::Uuid;

use super::rows::{Own, link, past, rows, text};
use super::stream::Stream;
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::row::Cell;

const MODELS: [&str; 6] =
    ["Fiat 500", "Citroën Ami", "Škoda Octavia", "VW ID.3", "Kia \"EV9\"", "Peugeot 208 & co"];
const WORK: [&str; 6] =
    ["Oil change", "Brakes <front>", "Räderwechsel", "Révision", "Check; no fault", "Battery 100%"];

/// One vehicle for four contacts.
const CONTACTS_A_VEHICLE: usize = 4;
/// One service visit for two contacts.
const CONTACTS_A_VISIT: usize = 2;

/// Which row of ten has no parent; small data has one, too.
const ORPHAN: usize = 3;

/// Vehicles; one in ten has no owner.
pub(super) fn vehicles(db: &mut Db, seed: u64, people: &[Uuid], now: i64) -> Vec<Uuid> {
    let mut stream = Stream::new(seed ^ 0xF1EE_7000_0000_0001);
    let count = people.len() / CONTACTS_A_VEHICLE;
    children(db, &mut stream, ("new_vehicle", "new_contactid"), people, count, now)
}

/// Service visits; one in ten has no vehicle, and some vehicles have several.
pub(super) fn visits(db: &mut Db, seed: u64, contacts: usize, vehicles: &[Uuid], now: i64) {
    let mut stream = Stream::new(seed ^ 0xF1EE_7000_0000_0002);
    let count = contacts / CONTACTS_A_VISIT;
    children(db, &mut stream, ("new_servicevisit", "new_vehicleid"), vehicles, count, now);
}

fn children(
    db: &mut Db,
    stream: &mut Stream,
    (table, lookup): (&str, &str),
    parents: &[Uuid],
    count: usize,
    now: i64,
) -> Vec<Uuid> {
    let names = if table == "new_vehicle" { &MODELS } else { &WORK };
    rows(db, stream, table, count, now, |column, stream, number| match column {
        name if name == lookup => link(stream.one_of(parents).filter(|_| number % 10 != ORPHAN), 0),
        "new_name" => text(format!("{} {number}", stream.pick(names))),
        "new_plate" => {
            let plate = format!("B-ÄX {:04}", stream.below(10_000));
            (!stream.one_in(6)).then(|| Cell::Text(plate.into())).into()
        }
        "new_mileage" => Own::Is(Cell::Int(stream.signed(400_000))),
        "new_visitedon" => Own::Is(Cell::Time(past(now, stream, 5 * 365))),
        _ => Own::Any,
    })
}
