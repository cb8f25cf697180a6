//! Tables of the marketing app: campaigns, lists and their members (Dynamics
//! sheet 9.1 and 9.4).
//!
//! Owns: their columns as data.

use super::parts::{
    MONEY_TARGET, boolean, choices, common, integer, lookup, memo, plain_lookup, text, time,
};
use crate::sandbox::dataverse::relation::{End, Pair};
use crate::sandbox::dataverse::schema::{Column, ColumnType, LookupFlavour, Table};

pub(super) fn campaign() -> Table {
    let mut table = Table::new("campaign", "Campaign", "campaigns", "campaignid", "name", 4400);
    common(
        &mut table,
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 6)],
        &[
            (0, "Proposed", "Vorgeschlagen", 0),
            (1, "Ready To Launch", "Startbereit", 0),
            (2, "Launched", "Gestartet", 0),
            (3, "Completed", "Abgeschlossen", 0),
            (4, "Canceled", "Abgebrochen", 0),
            (5, "Suspended", "Ausgesetzt", 0),
            (6, "Inactive", "Inaktiv", 1),
        ],
    );
    table.add(text("Name", 128));
    table.add(text("CodeName", 32));
    table.add(memo("Description", 2000));
    for name in ["ProposedStart", "ProposedEnd", "ActualStart", "ActualEnd"] {
        table.add(time(name));
    }
    table.add(Column::new("BudgetedCost", ColumnType::Money));
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    table
}

pub(super) fn list() -> Table {
    let mut table = Table::new("list", "List", "lists", "listid", "listname", 4300);
    common(
        &mut table,
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 1)],
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 1)],
    );
    table.add(text("ListName", 128));
    table.add(text("Purpose", 512));
    table.add(memo("Description", 2000));
    table.add(boolean("Type", false, ("Dynamic", "Dynamisch"), ("Static", "Statisch")));
    let kinds = choices(&[(1, "Account", "Firma"), (2, "Contact", "Kontakt"), (4, "Lead", "Lead")]);
    table.add(Column::new("CreatedFromCode", ColumnType::Picklist(kinds)));
    table.add(memo("Query", 1_048_576));
    table.add(integer("MemberCount").read_only());
    table.add(time("LastUsedOn"));
    table
}

/// Who is in which list. An intersect table: its change tracking is off, and
/// whether it can be turned on is a variant.
pub(super) fn list_member() -> Table {
    let mut table = Table::new("listmember", "ListMember", "listmembers", "listmemberid", "", 4301);
    (table.intersect, table.tracked, table.trackable) = (true, false, false);
    table.add(time("CreatedOn").read_only());
    table.add(time("ModifiedOn").read_only());
    table.add(plain_lookup("ListId", "list", "listid"));
    let members = [
        ("account", "entityid_account"),
        ("contact", "entityid_contact"),
        ("lead", "entityid_lead"),
    ];
    table.add(lookup("EntityId", LookupFlavour::Lookup, &members));
    table.add(Column::new("EntityType", ColumnType::EntityName).read_only());
    let end = |table: &str, column: &str, navigation: &str| End {
        table: table.to_owned(),
        column: column.to_owned(),
        navigation: navigation.to_owned(),
    };
    for kind in ["account", "contact", "lead"] {
        let name = format!("list{kind}_association");
        let ends = [end("list", "listid", &name), end(kind, "entityid", &name)];
        table.pairs.push(Pair { schema_name: name, ends });
    }
    table
}
