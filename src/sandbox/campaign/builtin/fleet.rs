//! Custom resources beside the CRM's own tables: vehicles of profiles, service
//! visits of vehicles, stores.
//!
//! Owns: their fields, keys and filters as data.

use super::parts::{audit, filter, key, link, text};
use crate::sandbox::campaign::schema::FilterOperator::Equal;
use crate::sandbox::campaign::schema::{Api, FieldType, Resource};

pub(super) fn vehicle() -> Resource {
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

pub(super) fn service_visit() -> Resource {
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

pub(super) fn store() -> Resource {
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
