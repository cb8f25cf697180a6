//! Tables of the platform: the organization, users, activities.
//!
//! Owns: their columns as data.

use super::parts::{common, integer, lookup, memo, partnered, plain_lookup, text, time, yes_no};
use crate::sandbox::dataverse::schema::{AlternateKey, Column, ColumnType, LookupFlavour, Table};

pub(super) fn organization() -> Table {
    let mut table =
        Table::new("organization", "Organization", "organizations", "organizationid", "name", 1019);
    (table.tracked, table.trackable) = (false, false);
    table.add(text("Name", 160));
    table.add(Column::new("ExpireChangeTrackingInDays", ColumnType::Integer { min: 0, max: 365 }));
    table.add(integer("ExpireSubscriptionsInDays"));
    table.add(integer("LanguageCode"));
    table
}

pub(super) fn system_tables() -> Vec<Table> {
    let mut user =
        Table::new("systemuser", "SystemUser", "systemusers", "systemuserid", "fullname", 8);
    user.add(text("FullName", 200));
    user.add(text("InternalEMailAddress", 100));
    user.add(text("DomainName", 1024));
    user.add(yes_no("IsDisabled"));
    user.add(Column::new("ApplicationId", ColumnType::Uniqueidentifier));
    user.add(time("CreatedOn").read_only());
    user.add(time("ModifiedOn").read_only());
    let mut unit =
        Table::new("businessunit", "BusinessUnit", "businessunits", "businessunitid", "name", 10);
    unit.add(text("Name", 160));
    let mut team = Table::new("team", "Team", "teams", "teamid", "name", 9);
    team.add(text("Name", 160));
    let mut currency = Table::new(
        "transactioncurrency",
        "TransactionCurrency",
        "transactioncurrencies",
        "transactioncurrencyid",
        "currencyname",
        9105,
    );
    currency.add(text("CurrencyName", 100));
    currency.add(text("ISOCurrencyCode", 5));
    let mut job = async_operation();
    for table in [&mut user, &mut unit, &mut team, &mut currency, &mut job] {
        table.tracked = false;
    }
    vec![user, unit, team, currency, job]
}

/// Jobs of the server (sheet 5.5).
fn async_operation() -> Table {
    let mut table = Table::new(
        "asyncoperation",
        "AsyncOperation",
        "asyncoperations",
        "asyncoperationid",
        "name",
        4700,
    );
    table.add(text("Name", 256));
    table.add(memo("Message", 10_000));
    let states = [
        (0, "Ready", "Bereit", 0),
        (1, "Suspended", "Angehalten", 10),
        (2, "Locked", "Gesperrt", 20),
        (3, "Completed", "Abgeschlossen", 30),
    ];
    let statuses = [
        (0, "Waiting For Resources", "Wartet auf Ressourcen", 0),
        (10, "Waiting", "Wartet", 1),
        (20, "In Progress", "In Bearbeitung", 2),
        (30, "Succeeded", "Erfolgreich", 3),
        (31, "Failed", "Fehlgeschlagen", 3),
        (32, "Canceled", "Abgebrochen", 3),
    ];
    table.add(Column::new("StateCode", ColumnType::State(partnered(&states))));
    table.add(Column::new("StatusCode", ColumnType::Status(partnered(&statuses))));
    table
}

/// A standard activity table.
pub(super) fn activity(schema_name: &str, set: &str, type_code: u32) -> Table {
    activity_of(
        schema_name,
        set,
        type_code,
        &[
            (0, "Open", "Offen", 2),
            (1, "Completed", "Abgeschlossen", 5),
            (2, "Canceled", "Abgebrochen", 6),
        ],
        &[
            (2, "Not Started", "Nicht begonnen", 0),
            (3, "In Progress", "In Bearbeitung", 0),
            (4, "Waiting on someone else", "Warten", 0),
            (7, "Deferred", "Zurückgestellt", 0),
            (5, "Completed", "Abgeschlossen", 1),
            (6, "Canceled", "Abgebrochen", 2),
        ],
    )
}

/// What all activities have in common; the statuses are those of every kind.
pub(super) fn pointer() -> Table {
    let mut table = activity("ActivityPointer", "activitypointers", 4200);
    table.add(Column::new("ActivityTypeCode", ColumnType::EntityName).read_only());
    crate::sandbox::dataverse::pointer::base(table)
}

/// An activity table; the id column and the navigation names are theirs.
pub(super) fn activity_of(
    schema_name: &str,
    set: &str,
    type_code: u32,
    states: &[(i64, &str, &str, i64)],
    statuses: &[(i64, &str, &str, i64)],
) -> Table {
    let name = schema_name.to_lowercase();
    let mut table = Table::new(&name, schema_name, set, "activityid", "subject", type_code);
    table.activity = true;
    common(&mut table, states, statuses);
    table.add(text("Subject", 200));
    table.add(memo("Description", 2000));
    for column in ["ScheduledStart", "ScheduledEnd", "ActualStart", "ActualEnd"] {
        table.add(time(column));
    }
    let (contact, account) =
        (format!("regardingobjectid_contact_{name}"), format!("regardingobjectid_account_{name}"));
    table.add(lookup(
        "RegardingObjectId",
        LookupFlavour::Lookup,
        &[("contact", &contact), ("account", &account)],
    ));
    table
}

/// Who makes definitions, and in which bundles (sheet 7.4).
pub(super) fn solution_tables() -> Vec<Table> {
    let mut publisher =
        Table::new("publisher", "Publisher", "publishers", "publisherid", "friendlyname", 7101);
    publisher.add(text("FriendlyName", 256));
    publisher.add(text("UniqueName", 256));
    publisher.add(memo("Description", 2000));
    publisher.add(text("CustomizationPrefix", 8));
    publisher.add(Column::new(
        "CustomizationOptionValuePrefix",
        ColumnType::Integer { min: 10_000, max: 99_999 },
    ));
    let mut solution =
        Table::new("solution", "Solution", "solutions", "solutionid", "friendlyname", 7100);
    solution.add(text("FriendlyName", 256));
    solution.add(text("UniqueName", 65));
    solution.add(memo("Description", 2000));
    solution.add(text("Version", 256));
    solution.add(plain_lookup("PublisherId", "publisher", "publisherid"));
    for table in [&mut publisher, &mut solution] {
        table.tracked = false;
        let name = format!("{}_uniquename", table.name);
        table.keys.push(AlternateKey::ready(&name, &["uniquename"]));
    }
    vec![publisher, solution]
}
