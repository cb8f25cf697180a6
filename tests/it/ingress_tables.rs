//! The mappings of the ingress tests, as a configuration has them.

/// The columns that `compare` knows of.
pub(crate) const FIELDS: &str = r#"fields = [
  { from = "firstname", to = "firstName" },
  { from = "lastname", to = "lastName" },
  { from = "emailaddress1", to = "email" },
  { from = "gendercode", to = "gender", replace = [{ value = "Male", with = "male" }, { value = "Female", with = "female" }] },
  { from = "birthdate", to = "birthDate" },
  { from = "createdon", to = "cusCustomerSince", updates = false },
  { from = "donotbulkemail", to = "blackListEmail" },
  { from = "donotphone", to = "denyListPhone" },
  { from = "new_points", to = "cusPoints" },
  { from = "new_rating", to = "cusRating" },
  { from = "new_score", to = "cusScore" },
  { from = "new_revenue", to = "cusRevenue" },
  { from = "new_interests", to = "cusInterests" },
  { from = "new_localtime", to = "cusLocalTime" },
  { from = "new_token", to = "cusToken" },
  { from = "new_vip", to = "cusVip" },
  { from = "description", to = "cusNote" },
]
"#;

/// A second table, for tests of which one must not stop the other.
pub(crate) const STORES: &str = r#"
[[ingress.table]]
dynamics = "new_store"
campaign = "cusStore"
key = { from = "new_storeid", to = "cusStoreId", in_uri = true }
apply_deletes = true
fields = [ { from = "new_name", to = "cusName" }, { from = "new_city", to = "cusCity" } ]
"#;

/// Contacts to profiles, found through a filter.
pub(crate) fn by_filter(options: &str, fields: &str) -> String {
    format!(
        "[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\nkey = {{ from = \"contactid\", to = \"externalId\", filter = \"byExternalId\", parameter = \"externalId_parameter\" }}\n{options}\n{fields}"
    )
}

/// Contacts to profiles, found by a key in the URI.
pub(crate) fn by_uri(options: &str, fields: &str) -> String {
    format!(
        "[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\nkey = {{ from = \"contactid\", to = \"cusCrmId\", in_uri = true }}\n{options}\n{fields}"
    )
}
