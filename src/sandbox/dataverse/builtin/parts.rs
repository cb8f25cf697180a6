//! Columns by kind, and the columns that many tables share.
//!
//! Owns: the shorthand in which the built-in tables are written.

use crate::sandbox::dataverse::schema::{
    Behavior, Choice, Column, ColumnType, LookupFlavour, Table, Target,
};

/// The one target of a money column's currency.
pub(super) const MONEY_TARGET: &[(&str, &str)] =
    &[("transactioncurrency", "transactioncurrencyid")];
const STATUS: [(i64, &str, &str, i64); 2] =
    [(1, "Active", "Aktiv", 0), (2, "Inactive", "Inaktiv", 1)];

fn choice(value: i64, english: &str, german: &str) -> Choice {
    Choice { value, english: english.to_owned(), german: german.to_owned(), partner: None }
}

pub(super) fn choices(list: &[(i64, &str, &str)]) -> Vec<Choice> {
    list.iter().map(|(value, english, german)| choice(*value, english, german)).collect()
}

pub(super) fn partnered(list: &[(i64, &str, &str, i64)]) -> Vec<Choice> {
    list.iter()
        .map(|(value, english, german, partner)| Choice {
            partner: Some(*partner),
            ..choice(*value, english, german)
        })
        .collect()
}

pub(super) fn text(name: &str, max: usize) -> Column {
    Column::new(name, ColumnType::Text { max })
}

pub(super) fn memo(name: &str, max: usize) -> Column {
    Column::new(name, ColumnType::Memo { max })
}

pub(super) fn integer(name: &str) -> Column {
    Column::new(name, ColumnType::Integer { min: i64::from(i32::MIN), max: i64::from(i32::MAX) })
}

pub(super) fn boolean(name: &str, default: bool, yes: (&str, &str), no: (&str, &str)) -> Column {
    let labels = [choice(1, yes.0, yes.1), choice(0, no.0, no.1)];
    Column::new(name, ColumnType::Boolean { default, labels })
}

pub(super) fn yes_no(name: &str) -> Column {
    boolean(name, false, ("Yes", "Ja"), ("No", "Nein"))
}

fn refusal(name: &str) -> Column {
    boolean(name, false, ("Do Not Allow", "Nicht zulassen"), ("Allow", "Zulassen"))
}

pub(super) fn moment(name: &str, behavior: Behavior, date_format: bool) -> Column {
    Column::new(name, ColumnType::DateTime { behavior, date_format })
}

pub(super) fn time(name: &str) -> Column {
    moment(name, Behavior::UserLocal, false)
}

pub(super) fn date(name: &str) -> Column {
    moment(name, Behavior::DateOnly, true)
}

pub(super) fn lookup(name: &str, flavour: LookupFlavour, targets: &[(&str, &str)]) -> Column {
    let targets = targets
        .iter()
        .map(|(table, navigation)| Target {
            table: (*table).to_owned(),
            navigation: (*navigation).to_owned(),
        })
        .collect();
    Column::new(name, ColumnType::Lookup { flavour, targets })
}

pub(super) fn plain_lookup(name: &str, table: &str, navigation: &str) -> Column {
    lookup(name, LookupFlavour::Lookup, &[(table, navigation)])
}

/// The columns that nearly every table has; activities suffix their navigation.
pub(super) fn common(
    table: &mut Table,
    states: &[(i64, &str, &str, i64)],
    statuses: &[(i64, &str, &str, i64)],
) {
    let suffix = if table.activity { format!("_{}", table.name) } else { String::new() };
    let nav = |stem: &str| format!("{stem}{suffix}");
    table.add(time("CreatedOn").read_only());
    table.add(time("ModifiedOn").read_only());
    let mut overridden = moment("OverriddenCreatedOn", Behavior::UserLocal, true);
    overridden.update = false;
    table.add(overridden);
    let mut import = integer("ImportSequenceNumber");
    import.update = false;
    table.add(import);
    table.add(plain_lookup("CreatedBy", "systemuser", &nav("createdby")).read_only());
    table.add(plain_lookup("ModifiedBy", "systemuser", &nav("modifiedby")).read_only());
    let owner = nav("ownerid");
    table.add(lookup("OwnerId", LookupFlavour::Owner, &[("systemuser", &owner), ("team", &owner)]));
    table.add(
        plain_lookup("OwningBusinessUnit", "businessunit", &nav("owningbusinessunit")).read_only(),
    );
    let mut state = Column::new("statecode", ColumnType::State(partnered(states)));
    state.create = false;
    table.add(state);
    table.add(Column::new("statuscode", ColumnType::Status(partnered(statuses))));
}

/// What a plain table of one's own has.
pub(crate) fn active(table: &mut Table) {
    common(table, &[(0, "Active", "Aktiv", 1), (1, "Inactive", "Inaktiv", 2)], &STATUS);
}

pub(super) fn opt_outs(table: &mut Table) {
    for name in ["DoNotEMail", "DoNotBulkEMail", "DoNotPhone", "DoNotFax", "DoNotPostalMail"] {
        table.add(refusal(name));
    }
    table.add(yes_no("DoNotBulkPostalMail"));
    table.add(boolean("DoNotSendMM", false, ("Do Not Send", "Nicht senden"), ("Send", "Senden")));
    table.add(boolean(
        "FollowEmail",
        true,
        ("Allow", "Zulassen"),
        ("Do Not Allow", "Nicht zulassen"),
    ));
}

pub(super) fn address(table: &mut Table, number: u8) {
    for (part, max) in [
        ("Line1", 250),
        ("Line2", 250),
        ("City", 80),
        ("PostalCode", 20),
        ("StateOrProvince", 50),
        ("Country", 80),
    ] {
        table.add(text(&format!("Address{number}_{part}"), max));
    }
    let latitude = ColumnType::Double;
    table.add(Column::new(&format!("Address{number}_Latitude"), latitude));
}
