//! The resources that the look-alike ships (campaign sheet 3.1).
//!
//! Owns: their fields, keys and filters as data. Knows no records.

use super::schema::FilterOperator::{AtLeast, Equal, Prefix};
use super::schema::{Api, EnumValue, FieldType, Filter, FilterOperator, Key, Resource};

fn values(list: &[(&str, &str, &str)]) -> Vec<EnumValue> {
    let value = |(name, label, value): &(&str, &str, &str)| EnumValue {
        name: (*name).to_owned(),
        label: (*label).to_owned(),
        value: (*value).to_owned(),
    };
    let mut out: Vec<EnumValue> = list.iter().map(value).collect();
    out.push(value(&("__Invalid_value__", "Invalid value", "__Invalid_value__")));
    out
}

fn text(max: usize) -> FieldType {
    FieldType::Text { max }
}

fn link(target: &str) -> FieldType {
    FieldType::Link { target: target.to_owned() }
}

fn enumeration(byte: bool, list: &[(&str, &str, &str)]) -> FieldType {
    FieldType::Enumeration { values: values(list), byte }
}

fn filter(
    name: &str,
    parameter: &str,
    field: &str,
    operator: FilterOperator,
    custom: bool,
) -> Filter {
    Filter {
        name: name.to_owned(),
        custom,
        parameter: parameter.to_owned(),
        field: field.to_owned(),
        operator,
    }
}

fn key(field: &str, in_uri: bool, optional: bool, constraint: &str, column: &str) -> Key {
    Key {
        field: field.to_owned(),
        in_uri,
        optional,
        constraint: constraint.to_owned(),
        column: column.to_owned(),
    }
}

fn audit(resource: &mut Resource) {
    for name in ["created", "lastModified"] {
        resource.add(name, FieldType::DateTime).read_only = true;
    }
    for name in ["createdBy", "modifiedBy"] {
        resource.add(name, link("userBase")).read_only = true;
    }
}

fn profile() -> Resource {
    let mut profile =
        Resource::new("profile", "Profiles", "nms:recipient", &[Api::Plain, Api::Ext]);
    audit(&mut profile);
    for (name, max, policy) in [
        ("email", 128, "email"),
        ("externalId", 100, ""),
        ("firstName", 30, "smartCase"),
        ("middleName", 30, "smartCase"),
        ("lastName", 50, "smartCase"),
        ("salutation", 20, ""),
        ("phone", 32, "phone"),
        ("mobilePhone", 32, "phone"),
        ("fax", 32, "phone"),
        ("thumbnail", 255, ""),
    ] {
        profile.add(name, text(max)).policy = policy;
    }
    profile.add("birthDate", FieldType::Date);
    enumerations(&mut profile);
    profile.add("isExternal", FieldType::Boolean);
    opt_outs(&mut profile);
    for name in ["address1", "address2", "address3", "address4"] {
        profile.add(&format!("location/{name}"), text(80));
    }
    for (name, max) in [("city", 50), ("countryCode", 2), ("stateCode", 10), ("zipCode", 15)] {
        profile.add(&format!("location/{name}"), text(max));
    }
    for (name, target) in
        [("country", "countries"), ("emailStatus", "addressStatus"), ("stateLink", "state")]
    {
        profile.add(name, link(target)).read_only = name == "emailStatus";
    }
    profile.add("orgUnit", link("orgUnitBase")).custom = true;
    profile.add("geoUnit", link("geoUnitBase")).custom = true;
    for name in [
        "appSubscription",
        "excludeLogs",
        "logs",
        "places",
        "subHisto",
        "subscriptions",
        "tracking",
    ] {
        let target = if name == "subscriptions" { "subscriptionRcp" } else { name };
        profile.add(name, FieldType::Collection { target: target.to_owned() }).read_only = true;
    }
    custom(&mut profile);
    for name in ["externalId", "cusCrmId", "email"] {
        if let Some(field) = profile.fields.iter_mut().find(|field| field.name == name) {
            field.indexed = true;
        }
    }
    access(&mut profile);
    profile
}

fn enumerations(profile: &mut Resource) {
    profile.add(
        "gender",
        enumeration(
            true,
            &[("unknown", "Unknown", "0"), ("male", "Male", "1"), ("female", "Female", "2")],
        ),
    );
    profile.add(
        "emailFormat",
        enumeration(
            true,
            &[("unknown", "Unknown", "0"), ("text", "Text", "1"), ("html", "HTML", "2")],
        ),
    );
    profile.add(
        "preferredLanguage",
        enumeration(
            false,
            &[
                ("none", "Not specified", ""),
                ("en_gb", "English (United Kingdom)", "en-gb"),
                ("en_us", "English (United States)", "en-us"),
                ("de_de", "German (Germany)", "de-de"),
                ("fr_fr", "French (France)", "fr-fr"),
            ],
        ),
    );
    profile.add(
        "timeZone",
        enumeration(
            false,
            &[
                ("none", "Not specified", "none"),
                ("GMT", "GMT", "GMT"),
                ("Europe_Berlin", "Europe/Berlin", "Europe/Berlin"),
                ("Europe_London", "Europe/London", "Europe/London"),
                ("America_New_York", "America/New_York", "America/New_York"),
                ("Asia_Tokyo", "Asia/Tokyo", "Asia/Tokyo"),
            ],
        ),
    );
}

/// Keys and filters.
fn access(profile: &mut Resource) {
    profile.keys.push(key("externalId", false, true, "nmsrecipient_externalid", "sexternalid"));
    profile.keys.push(key("cusCrmId", true, false, "nmsrecipient_cuscrmid", "scuscrmid"));
    profile.filters.push(filter("byText", "text", "", Prefix, false));
    profile.filters.push(filter("byEmail", "email", "email", Equal, false));
    profile.filters.push(filter("byKeysProfile", "email", "email", Equal, false));
    profile.filters.push(filter("byExternalId", "externalId_parameter", "externalId", Equal, true));
    profile.filters.push(filter("byCrmId", "crmId_parameter", "cusCrmId", Equal, true));
    profile.filters.push(filter(
        "byModifiedSince",
        "since_parameter",
        "lastModified",
        AtLeast,
        true,
    ));
}

fn opt_outs(profile: &mut Resource) {
    for name in ["", "Email", "Fax", "Mobile", "Phone", "PostalMail", "Pushnotification"] {
        profile.add(&format!("blackList{name}"), FieldType::Boolean);
    }
    profile.add("ccpaOptOut", FieldType::Boolean);
    for name in ["All", "", "Email", "Fax", "Mobile", "Phone", "PostalMail"] {
        profile.add(&format!("blackList{name}LastModified"), FieldType::DateTime).read_only = true;
    }
    profile.add("ccpaOptOutLastModified", FieldType::DateTime).read_only = true;
}

/// One custom field of every type.
fn custom(profile: &mut Resource) {
    profile.add("cusCrmId", text(64));
    profile.add("cusCustomerSince", FieldType::DateTime);
    profile.add("cusLocalTime", FieldType::DateTime);
    profile.add("cusAnniversary", FieldType::Date);
    profile.add("cusPoints", FieldType::Long);
    profile.add("cusSmall", FieldType::Byte);
    profile.add("cusShort", FieldType::Short);
    profile.add("cusBig", FieldType::Int64);
    for name in ["cusRating", "cusScore", "cusRevenue"] {
        profile.add(name, FieldType::Double);
    }
    profile.add("cusInterests", text(255));
    profile.add("cusToken", text(64));
    profile.add("cusNote", FieldType::Memo);
    profile.add("cusVip", FieldType::Boolean);
    profile.add(
        "cusSegment",
        enumeration(
            false,
            &[
                ("none", "None", "none"),
                ("gold", "Gold", "gold"),
                ("silver", "Silver", "silver"),
                ("bronze", "Bronze", "bronze"),
            ],
        ),
    );
}

fn vehicle() -> Resource {
    let mut vehicle = Resource::new("cusVehicle", "Vehicle", "cus:vehicle", &[Api::Ext]);
    audit(&mut vehicle);
    vehicle.add("cusVehicleId", text(64)).indexed = true;
    vehicle.add("cusName", text(100));
    vehicle.add("cusPlate", text(20));
    vehicle.add("cusMileage", FieldType::Long);
    vehicle.add("cusPrice", FieldType::Double);
    vehicle.add("cusRegistered", FieldType::Date);
    vehicle.add("cusFuel", text(50));
    vehicle.add("vehicleOwner", link("profile"));
    vehicle.keys.push(key("cusVehicleId", false, false, "cusvehicle_vehicleid", "svehicleid"));
    vehicle.filters.push(filter("byVehicleId", "vehicleId_parameter", "cusVehicleId", Equal, true));
    vehicle.parent = Some("vehicleOwner".to_owned());
    vehicle
}

fn service_visit() -> Resource {
    let mut visit =
        Resource::new("cusServiceVisit", "Service visit", "cus:serviceVisit", &[Api::Ext]);
    audit(&mut visit);
    visit.add("cusVisitId", text(64)).indexed = true;
    visit.add("cusName", text(100));
    visit.add("cusVisited", FieldType::DateTime);
    visit.add("cusNextVisit", FieldType::Date);
    visit.add("cusCost", FieldType::Double);
    visit.add("cusKind", text(50));
    visit.add("cusWarranty", FieldType::Boolean);
    visit.add("cusNotes", FieldType::Memo);
    visit.add("visitVehicle", link("cusVehicle"));
    visit.keys.push(key("cusVisitId", false, false, "cusservicevisit_visitid", "svisitid"));
    visit.filters.push(filter("byVisitId", "visitId_parameter", "cusVisitId", Equal, true));
    visit.parent = Some("visitVehicle".to_owned());
    visit
}

fn store() -> Resource {
    let mut store = Resource::new("cusStore", "Store", "cus:store", &[Api::Custom]);
    audit(&mut store);
    store.add("cusStoreId", text(64)).indexed = true;
    store.add("cusName", text(100));
    store.add("cusCity", text(100));
    store.add("cusOpened", FieldType::Date);
    store.keys.push(key("cusStoreId", true, false, "cusstore_storeid", "sstoreid"));
    store.filters.push(filter("byStoreId", "storeId_parameter", "cusStoreId", Equal, true));
    store
}

fn service() -> Resource {
    let mut service = Resource::new("service", "Services", "nms:service", &[Api::Plain, Api::Ext]);
    audit(&mut service);
    service.add("name", text(64)).indexed = true;
    for (name, max) in
        [("label", 128), ("desc", 512), ("messageType", 30), ("mode", 30), ("targetResource", 64)]
    {
        service.add(name, text(max));
    }
    for name in ["builtIn", "isTemplate", "limitedDuration"] {
        service.add(name, FieldType::Boolean);
    }
    service.add("start", FieldType::Date);
    service.add("end", FieldType::Date);
    service
        .add("subscriptions", FieldType::Collection { target: "subscriptionRcp".to_owned() })
        .read_only = true;
    service.keys.push(key("name", true, false, "nmsservice_name", "sname"));
    service.filters.push(filter("byText", "text", "", Prefix, false));
    service.filters.push(filter("byChannel", "channel", "messageType", Equal, false));
    service
}

fn unit() -> Resource {
    let mut unit = Resource::new("orgUnitBase", "Organizational units", "nms:orgUnit", &[Api::Ext]);
    audit(&mut unit);
    unit.add("name", text(64)).indexed = true;
    unit.add("label", text(128));
    unit.keys.push(key("name", true, false, "nmsorgunit_name", "sname"));
    unit
}

/// All built-in resources.
pub(crate) fn resources() -> Vec<Resource> {
    vec![profile(), service(), vehicle(), service_visit(), store(), unit()]
}
