//! Contacts with few columns, for simulated lives: to describe and to read a
//! hundred of them took a fifth of a life.

use std::sync::{Arc, OnceLock};

use super::control::DynamicsControl;
use super::schema::{Role, Table};

/// The plain columns that are left: what every table has, and what lives are about.
const LEFT: [&str; 21] = [
    "firstname",
    "lastname",
    "fullname",
    "emailaddress1",
    "jobtitle",
    "gendercode",
    "donotbulkemail",
    "donotphone",
    "merged",
    "masterid",
    "createdon",
    "modifiedon",
    "overriddencreatedon",
    "createdby",
    "modifiedby",
    "ownerid",
    "owningbusinessunit",
    "importsequencenumber",
    "statecode",
    "statuscode",
    "new_extid",
];

impl DynamicsControl {
    /// As if contacts never had any other columns.
    pub(crate) fn with_few_columns(&self) {
        /// Of the definition that all lives begin with.
        static FEW: OnceLock<(Arc<Table>, Arc<Table>)> = OnceLock::new();
        if let Some(data) = self.db().tables.get_mut("contact") {
            let (of, few) =
                FEW.get_or_init(|| (Arc::clone(&data.def), Arc::new(few_of(&data.def))));
            data.def =
                if Arc::ptr_eq(of, &data.def) { Arc::clone(few) } else { few_of(&data.def).into() };
        }
    }
}

fn few_of(all: &Table) -> Table {
    let mut few = all.clone();
    few.columns.retain(|it| it.role != Role::Plain || LEFT.contains(&it.name.as_str()));
    few
}
