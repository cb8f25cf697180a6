//! The profile (campaign sheet 3.1).
//!
//! Owns: its fields, keys and filters as data.

use super::parts::{audit, enumeration, filter, key, link, text};
use crate::sandbox::campaign::schema::FilterOperator::{AtLeast, Equal, Prefix};
use crate::sandbox::campaign::schema::{Api, FieldType, Resource};

pub(super) fn profile() -> Resource {
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
