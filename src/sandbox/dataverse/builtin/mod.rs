//! The tables that the look-alike ships (Dynamics sheet 9).
//!
//! Owns: which there are. Knows no rows.

mod fleet;
mod mail;
mod marketing;
mod parts;
mod people;
mod sales;
mod system;

pub(crate) use self::mail::{MAIL_TABLES, custom_activity};
pub(crate) use self::parts::active;
use self::system::activity;
use super::schema::{Role, Table};

/// All built-in tables.
pub(crate) fn tables() -> Vec<Table> {
    let mut all = vec![
        people::contact(),
        people::account(),
        sales::lead(),
        sales::opportunity(),
        sales::customer_role(),
        sales::connection(),
        marketing::campaign(),
        marketing::list(),
        marketing::list_member(),
        fleet::vehicle(),
        fleet::service_visit(),
        fleet::store(),
        system::organization(),
    ];
    all.extend(system::system_tables());
    all.extend(system::solution_tables());
    all.extend(sales::roles());
    all.extend(mail::mail_tables());
    all.push(activity("Task", "tasks", 4212));
    all.push(activity("Email", "emails", 4202));
    all.push(activity("PhoneCall", "phonecalls", 4210));
    all.push(activity("Appointment", "appointments", 4201));
    all.push(system::pointer());
    debug_assert!(
        all.iter().all(|table| table.columns.iter().filter(|c| c.role == Role::Id).count() == 1)
    );
    all
}
