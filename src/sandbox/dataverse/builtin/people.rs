//! Contacts and accounts.
//!
//! Owns: their columns as data (Dynamics sheet 9.1 to 9.3).

use super::parts::{
    MONEY_TARGET, active, address, choices, date, integer, lookup, memo, moment, opt_outs,
    plain_lookup, text, time, yes_no,
};
use crate::sandbox::dataverse::schema::{
    AlternateKey, Behavior, Column, ColumnType, LookupFlavour, Table,
};

pub(super) fn contact() -> Table {
    let mut table = Table::new("contact", "Contact", "contacts", "contactid", "fullname", 2);
    active(&mut table);
    for (name, max) in [("FirstName", 50), ("MiddleName", 50), ("LastName", 50)] {
        table.add(text(name, max));
    }
    table.add(text("FullName", 160).read_only());
    for (name, max) in [
        ("Salutation", 100),
        ("EMailAddress1", 100),
        ("EMailAddress2", 100),
        ("EMailAddress3", 100),
        ("JobTitle", 100),
        ("Telephone1", 50),
        ("MobilePhone", 50),
        ("Fax", 50),
        ("ExternalUserIdentifier", 50),
    ] {
        table.add(text(name, max));
    }
    table.add(memo("Description", 2000));
    let gender = choices(&[(1, "Male", "Männlich"), (2, "Female", "Weiblich")]);
    table.add(Column::new("GenderCode", ColumnType::Picklist(gender)));
    let methods = choices(&[
        (1, "Any", "Beliebig"),
        (2, "Email", "E-Mail"),
        (3, "Phone", "Telefon"),
        (4, "Fax", "Fax"),
        (5, "Mail", "Post"),
    ]);
    table.add(Column::new("PreferredContactMethodCode", ColumnType::Picklist(methods)));
    table.add(date("BirthDate"));
    table.add(date("Anniversary"));
    table.add(integer("NumberOfChildren"));
    opt_outs(&mut table);
    address(&mut table, 1);
    table.add(lookup(
        "ParentCustomerId",
        LookupFlavour::Customer,
        &[("account", "parentcustomerid_account"), ("contact", "parentcustomerid_contact")],
    ));
    table.add(plain_lookup("MasterId", "contact", "masterid").read_only());
    table.add(yes_no("Merged").read_only());
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    custom_contact(&mut table);
    table
}

/// One custom column of every type.
fn custom_contact(table: &mut Table) {
    table.add(Column::new("new_Points", ColumnType::Integer { min: 0, max: 1_000_000 }));
    table.add(Column::new(
        "new_Rating",
        ColumnType::Decimal { precision: 2, limit: 100_000_000_000 },
    ));
    table.add(Column::new("new_Score", ColumnType::Double));
    table.add(Column::new("new_Revenue", ColumnType::Money));
    let interests = choices(&[
        (727_000_000, "Sailing", "Segeln"),
        (727_000_001, "Chess", "Schach"),
        (727_000_002, "Music; live", "Musik; live"),
        (727_000_003, "Cooking", "Kochen"),
    ]);
    table.add(Column::new("new_Interests", ColumnType::MultiSelect(interests)));
    table.add(moment("new_LocalTime", Behavior::TimeZoneIndependent, false));
    table.add(time("new_LastVisit"));
    table.add(moment("new_LegacyDate", Behavior::UserLocal, true));
    table.add(Column::new("new_Token", ColumnType::Uniqueidentifier));
    table.add(yes_no("new_Vip"));
    table.add(text("new_ExtId", 100));
    table.keys.push(AlternateKey::ready("new_extidkey", &["new_extid"]));
}

pub(super) fn account() -> Table {
    let mut table = Table::new("account", "Account", "accounts", "accountid", "name", 1);
    active(&mut table);
    for (name, max) in [
        ("Name", 160),
        ("AccountNumber", 20),
        ("EMailAddress1", 100),
        ("Telephone1", 50),
        ("Fax", 50),
        ("WebSiteURL", 200),
    ] {
        table.add(text(name, max));
    }
    table.add(memo("Description", 2000));
    table.add(Column::new("Revenue", ColumnType::Money));
    table.add(integer("NumberOfEmployees"));
    opt_outs(&mut table);
    address(&mut table, 1);
    table.add(plain_lookup("PrimaryContactId", "contact", "primarycontactid"));
    table.add(plain_lookup("ParentAccountId", "account", "parentaccountid"));
    table.add(lookup("TransactionCurrencyId", LookupFlavour::Lookup, MONEY_TARGET));
    table.keys.push(AlternateKey::ready("new_accountnumberkey", &["accountnumber"]));
    table
}
