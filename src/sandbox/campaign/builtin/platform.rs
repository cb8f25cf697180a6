//! Services and organizational units.
//!
//! Owns: their fields, keys and filters as data.

use super::parts::{audit, filter, key, link, text};
use crate::sandbox::campaign::schema::FilterOperator::{Equal, Prefix};
use crate::sandbox::campaign::schema::{Api, FieldType, Resource};

pub(super) fn service() -> Resource {
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

/// Under no root: the collections of profiles and services reach it.
pub(super) fn subscription() -> Resource {
    let mut subscription =
        Resource::new("subscriptionRcp", "Subscriptions", "nms:subscription", &[]);
    audit(&mut subscription);
    subscription.add("expirationDate", FieldType::DateTime);
    subscription.add("service", link("service"));
    subscription.add("subscriber", link("profile"));
    subscription.parent = Some("subscriber".to_owned());
    subscription
}

pub(super) fn unit() -> Resource {
    let mut unit = Resource::new("orgUnitBase", "Organizational units", "nms:orgUnit", &[Api::Ext]);
    audit(&mut unit);
    unit.add("name", text(64)).indexed = true;
    unit.add("label", text(128));
    unit.keys.push(key("name", true, false, "nmsorgunit_name", "sname"));
    unit
}
