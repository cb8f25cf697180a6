//! Custom tables: vehicles of contacts, service visits of vehicles, stores.
//!
//! Owns: their columns as data.

use super::parts::{
    MONEY_TARGET, active, choices, date, integer, lookup, memo, plain_lookup, text, time, yes_no,
};
use crate::sandbox::dataverse::schema::{Column, ColumnType, LookupFlavour, Table};

pub(super) fn vehicle() -> Table {
    let mut table = Table::new(
        "new_vehicle",
        "new_Vehicle",
        "new_vehicles",
        "new_vehicleid",
        "new_name",
        10_042,
    );
    active(&mut table);
    table.add(text("new_Name", 100));
    table.add(text("new_Plate", 20));
    table.add(integer("new_Mileage"));
    table.add(Column::new("new_Price", ColumnType::Money));
    table.add(date("new_Registered"));
    let fuels = choices(&[(727_000_000, "Petrol", "Benzin"), (727_000_001, "Electric", "Elektro")]);
    table.add(Column::new("new_Fuel", ColumnType::Picklist(fuels)));
    table.add(plain_lookup("new_ContactId", "contact", "new_ContactId"));
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    table
}

/// A level below vehicles, with a value of most kinds.
pub(super) fn service_visit() -> Table {
    let mut table = Table::new(
        "new_servicevisit",
        "new_ServiceVisit",
        "new_servicevisits",
        "new_servicevisitid",
        "new_name",
        10_044,
    );
    active(&mut table);
    table.add(text("new_Name", 100));
    table.add(time("new_VisitedOn"));
    table.add(date("new_NextVisit"));
    table.add(Column::new("new_Cost", ColumnType::Money));
    let kinds = choices(&[
        (727_000_000, "Inspection", "Inspektion"),
        (727_000_001, "Repair", "Reparatur"),
        (727_000_002, "Tyres", "Reifen"),
    ]);
    table.add(Column::new("new_Kind", ColumnType::Picklist(kinds)));
    table.add(yes_no("new_Warranty"));
    table.add(memo("new_Notes", 4000));
    table.add(plain_lookup("new_VehicleId", "new_vehicle", "new_VehicleId"));
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    table
}

pub(super) fn store() -> Table {
    let mut table =
        Table::new("new_store", "new_Store", "new_stores", "new_storeid", "new_name", 10_043);
    active(&mut table);
    table.add(text("new_Name", 100));
    table.add(text("new_City", 100));
    table.add(date("new_Opened"));
    table
}
