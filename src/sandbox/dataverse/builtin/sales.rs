//! Tables of the sales and marketing apps (Dynamics sheet 9.1 and 9.4).
//!
//! Owns: their columns as data.

use super::parts::{MONEY_TARGET, common, lookup, opt_outs, plain_lookup, text, yes_no};
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
        ("EMailAddress1", 100),
    ] {
        table.add(text(name, max));
    }
    table.add(text("FullName", 160).read_only());
    opt_outs(&mut table);
    table
}

pub(super) fn marketing_tables() -> Vec<Table> {
    let mut campaign = Table::new("campaign", "Campaign", "campaigns", "campaignid", "name", 4400);
    common(
        &mut campaign,
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 6)],
        &[
            (0, "Proposed", "Vorgeschlagen", 0),
            (1, "Ready To Launch", "Startbereit", 0),
            (6, "Inactive", "Inaktiv", 1),
        ],
    );
    campaign.add(text("Name", 128));
    let mut list = Table::new("list", "List", "lists", "listid", "listname", 4300);
    common(
        &mut list,
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 1)],
        &[(0, "Active", "Aktiv", 0), (1, "Inactive", "Inaktiv", 1)],
    );
    list.add(text("ListName", 128));
    list.add(yes_no("Type"));
    let mut opportunity =
        Table::new("opportunity", "Opportunity", "opportunities", "opportunityid", "name", 3);
    common(
        &mut opportunity,
        &[(0, "Open", "Offen", 1), (1, "Won", "Gewonnen", 3), (2, "Lost", "Verloren", 4)],
        &[
            (1, "In Progress", "In Bearbeitung", 0),
            (2, "On Hold", "Angehalten", 0),
            (3, "Won", "Gewonnen", 1),
            (4, "Canceled", "Abgebrochen", 2),
            (5, "Out-Sold", "Ausverkauft", 2),
        ],
    );
    opportunity.add(text("Name", 300));
    opportunity.add(Column::new("EstimatedValue", ColumnType::Money));
    opportunity.add(plain_lookup("ParentContactId", "contact", "parentcontactid"));
    opportunity.add(plain_lookup("ParentAccountId", "account", "parentaccountid"));
    opportunity.add(lookup(
        "CustomerId",
        LookupFlavour::Customer,
        &[("account", "customerid_account"), ("contact", "customerid_contact")],
    ));
    opportunity.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    vec![campaign, list, opportunity]
}
