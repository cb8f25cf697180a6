//! Tables of the sales app: leads, opportunities, and who plays which part in
//! them (Dynamics sheet 9.1).
//!
//! Owns: their columns as data.

use super::parts::{
    MONEY_TARGET, active, common, date, lookup, memo, opt_outs, plain_lookup, text, time,
};
use crate::sandbox::dataverse::schema::{Column, ColumnType, LookupFlavour, Table};

pub(super) fn lead() -> Table {
    let mut table = Table::new("lead", "Lead", "leads", "leadid", "fullname", 4);
    common(
        &mut table,
        &[
            (0, "Open", "Offen", 1),
            (1, "Qualified", "Qualifiziert", 3),
            (2, "Disqualified", "Nicht qualifiziert", 4),
        ],
        &[
            (1, "New", "Neu", 0),
            (2, "Contacted", "Kontaktiert", 0),
            (3, "Qualified", "Qualifiziert", 1),
            (4, "Lost", "Verloren", 2),
            (5, "Cannot Contact", "Nicht erreichbar", 2),
            (6, "No Longer Interested", "Kein Interesse mehr", 2),
            (7, "Canceled", "Abgebrochen", 2),
        ],
    );
    for (name, max) in [
        ("FirstName", 50),
        ("LastName", 50),
        ("Subject", 300),
        ("CompanyName", 100),
        ("JobTitle", 100),
        ("EMailAddress1", 100),
        ("Telephone1", 50),
    ] {
        table.add(text(name, max));
    }
    table.add(text("FullName", 160).read_only());
    opt_outs(&mut table);
    table
}

pub(super) fn opportunity() -> Table {
    let mut table =
        Table::new("opportunity", "Opportunity", "opportunities", "opportunityid", "name", 3);
    common(
        &mut table,
        &[(0, "Open", "Offen", 1), (1, "Won", "Gewonnen", 3), (2, "Lost", "Verloren", 4)],
        &[
            (1, "In Progress", "In Bearbeitung", 0),
            (2, "On Hold", "Angehalten", 0),
            (3, "Won", "Gewonnen", 1),
            (4, "Canceled", "Abgebrochen", 2),
            (5, "Out-Sold", "Ausverkauft", 2),
        ],
    );
    table.add(text("Name", 300));
    table.add(memo("Description", 2000));
    table.add(Column::new("EstimatedValue", ColumnType::Money));
    table.add(date("EstimatedCloseDate"));
    table.add(plain_lookup("ParentContactId", "contact", "parentcontactid"));
    table.add(plain_lookup("ParentAccountId", "account", "parentaccountid"));
    table.add(customer());
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    table
}

fn customer() -> Column {
    let targets = [("account", "customerid_account"), ("contact", "customerid_contact")];
    lookup("CustomerId", LookupFlavour::Customer, &targets)
}

/// The old table of roles. Its change tracking is off until somebody turns it
/// on; whether it ships so is not documented.
pub(super) fn customer_role() -> Table {
    let mut table = Table::new(
        "customeropportunityrole",
        "CustomerOpportunityRole",
        "customeropportunityroles",
        "customeropportunityroleid",
        "",
        4503,
    );
    table.tracked = false;
    table.add(time("CreatedOn").read_only());
    table.add(time("ModifiedOn").read_only());
    table.add(memo("Description", 2000));
    table.add(customer());
    table.add(plain_lookup("OpportunityId", "opportunity", "opportunityid"));
    table.add(plain_lookup("OpportunityRoleId", "relationshiprole", "opportunityroleid"));
    table
}

/// Connections: the newer way to say who plays which part.
pub(super) fn connection() -> Table {
    let mut table =
        Table::new("connection", "Connection", "connections", "connectionid", "name", 3234);
    active(&mut table);
    table.add(text("Name", 500));
    table.add(memo("Description", 2000));
    table.add(time("EffectiveStart"));
    table.add(time("EffectiveEnd"));
    let names = ["account", "contact", "lead", "opportunity"];
    for record in ["Record1Id", "Record2Id"] {
        let navigation = |name: &str| format!("{}_{name}", record.to_lowercase());
        let targets: Vec<(&str, String)> =
            names.iter().map(|name| (*name, navigation(name))).collect();
        let targets: Vec<(&str, &str)> =
            targets.iter().map(|(name, navigation)| (*name, navigation.as_str())).collect();
        table.add(lookup(record, LookupFlavour::Lookup, &targets));
    }
    for role in ["Record1RoleId", "Record2RoleId"] {
        table.add(plain_lookup(role, "connectionrole", &role.to_lowercase()));
    }
    let related = plain_lookup("RelatedConnectionId", "connection", "relatedconnectionid");
    table.add(related.read_only());
    table
}

/// The names of the parts, in both ways of saying it.
pub(super) fn roles() -> [Table; 2] {
    let mut connection = Table::new(
        "connectionrole",
        "ConnectionRole",
        "connectionroles",
        "connectionroleid",
        "name",
        3231,
    );
    let mut relationship = Table::new(
        "relationshiprole",
        "RelationshipRole",
        "relationshiproles",
        "relationshiproleid",
        "name",
        4500,
    );
    for table in [&mut connection, &mut relationship] {
        table.tracked = false;
        table.add(text("Name", 100));
        table.add(time("CreatedOn").read_only());
        table.add(time("ModifiedOn").read_only());
    }
    [connection, relationship]
}
