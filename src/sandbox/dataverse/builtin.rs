//! The tables that the look-alike ships (Dynamics sheet 9).
//!
//! Owns: their columns as data. Knows no rows.

use super::schema::{
    AlternateKey, Behavior, Choice, Column, ColumnType, LookupFlavour, Role, Table, Target,
};

const MONEY_TARGET: &[(&str, &str)] = &[("transactioncurrency", "transactioncurrencyid")];
const STATUS: [(i64, &str, &str, i64); 2] =
    [(1, "Active", "Aktiv", 0), (2, "Inactive", "Inaktiv", 1)];

fn choice(value: i64, english: &str, german: &str) -> Choice {
    Choice { value, english: english.to_owned(), german: german.to_owned(), partner: None }
}

fn choices(list: &[(i64, &str, &str)]) -> Vec<Choice> {
    list.iter().map(|(value, english, german)| choice(*value, english, german)).collect()
}

fn partnered(list: &[(i64, &str, &str, i64)]) -> Vec<Choice> {
    list.iter()
        .map(|(value, english, german, partner)| Choice {
            partner: Some(*partner),
            ..choice(*value, english, german)
        })
        .collect()
}

fn text(name: &str, max: usize) -> Column {
    Column::new(name, ColumnType::Text { max })
}

fn memo(name: &str, max: usize) -> Column {
    Column::new(name, ColumnType::Memo { max })
}

fn integer(name: &str) -> Column {
    Column::new(name, ColumnType::Integer { min: i64::from(i32::MIN), max: i64::from(i32::MAX) })
}

fn boolean(name: &str, default: bool, yes: (&str, &str), no: (&str, &str)) -> Column {
    let labels = [choice(1, yes.0, yes.1), choice(0, no.0, no.1)];
    Column::new(name, ColumnType::Boolean { default, labels })
}

fn yes_no(name: &str) -> Column {
    boolean(name, false, ("Yes", "Ja"), ("No", "Nein"))
}

fn refusal(name: &str) -> Column {
    boolean(name, false, ("Do Not Allow", "Nicht zulassen"), ("Allow", "Zulassen"))
}

fn moment(name: &str, behavior: Behavior, date_format: bool) -> Column {
    Column::new(name, ColumnType::DateTime { behavior, date_format })
}

fn time(name: &str) -> Column {
    moment(name, Behavior::UserLocal, false)
}

fn date(name: &str) -> Column {
    moment(name, Behavior::DateOnly, true)
}

fn lookup(name: &str, flavour: LookupFlavour, targets: &[(&str, &str)]) -> Column {
    let targets = targets
        .iter()
        .map(|(table, navigation)| Target {
            table: (*table).to_owned(),
            navigation: (*navigation).to_owned(),
        })
        .collect();
    Column::new(name, ColumnType::Lookup { flavour, targets })
}

fn plain_lookup(name: &str, table: &str, navigation: &str) -> Column {
    lookup(name, LookupFlavour::Lookup, &[(table, navigation)])
}

/// The columns that nearly every table has; activities suffix their navigation.
fn common(
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

fn active(table: &mut Table) {
    common(table, &[(0, "Active", "Aktiv", 1), (1, "Inactive", "Inaktiv", 2)], &STATUS);
}

fn opt_outs(table: &mut Table) {
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

fn address(table: &mut Table, number: u8) {
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

fn contact() -> Table {
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
    table.keys.push(AlternateKey {
        name: "new_extidkey".to_owned(),
        columns: vec!["new_extid".to_owned()],
    });
}

fn account() -> Table {
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
    table.keys.push(AlternateKey {
        name: "new_accountnumberkey".to_owned(),
        columns: vec!["accountnumber".to_owned()],
    });
    table
}

fn lead() -> Table {
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

fn vehicle() -> Table {
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

fn store() -> Table {
    let mut table =
        Table::new("new_store", "new_Store", "new_stores", "new_storeid", "new_name", 10_043);
    active(&mut table);
    table.add(text("new_Name", 100));
    table.add(text("new_City", 100));
    table.add(date("new_Opened"));
    table
}

fn organization() -> Table {
    let mut table =
        Table::new("organization", "Organization", "organizations", "organizationid", "name", 1019);
    (table.tracked, table.trackable) = (false, false);
    table.add(text("Name", 160));
    table.add(Column::new("ExpireChangeTrackingInDays", ColumnType::Integer { min: 0, max: 365 }));
    table.add(integer("ExpireSubscriptionsInDays"));
    table.add(integer("LanguageCode"));
    table
}

fn system_tables() -> Vec<Table> {
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
    for table in [&mut user, &mut unit, &mut team, &mut currency] {
        table.tracked = false;
    }
    vec![user, unit, team, currency]
}

/// An activity table; the id column and the navigation names are theirs.
fn activity(name: &str, schema_name: &str, set: &str, type_code: u32) -> Table {
    let mut table = Table::new(name, schema_name, set, "activityid", "subject", type_code);
    table.activity = true;
    common(
        &mut table,
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
    );
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

fn marketing_tables() -> Vec<Table> {
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

/// All built-in tables.
pub(crate) fn tables() -> Vec<Table> {
    let mut all = vec![contact(), account(), lead(), vehicle(), store(), organization()];
    all.extend(system_tables());
    all.extend(marketing_tables());
    all.push(activity("task", "Task", "tasks", 4212));
    all.push(activity("email", "Email", "emails", 4202));
    all.push(activity("phonecall", "PhoneCall", "phonecalls", 4210));
    all.push(activity("appointment", "Appointment", "appointments", 4201));
    debug_assert!(
        all.iter().all(|table| table.columns.iter().filter(|c| c.role == Role::Id).count() == 1)
    );
    all
}
