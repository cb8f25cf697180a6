//! Which field of a resource a name means, and that no field is meant twice.
//!
//! Knows names only, no types.

use std::collections::BTreeMap;

use crate::mapping::problem::{Place, Problem};
use crate::mapping::spec::TableMapping;
use crate::model::{Field, FieldName, ResourceSchema};

/// The other spelling of an opt-out field: `denyListEmail` for
/// `blackListEmail` and the reverse (Campaign sheet, section 4).
fn other_spelling(name: &str) -> Option<String> {
    let swap = |from, to| name.strip_prefix(from).map(|rest| format!("{to}{rest}"));
    swap("denyList", "blackList").or_else(|| swap("blackList", "denyList"))
}

/// The field of this name, under whichever spelling the resource has it.
pub(crate) fn find_field<'r>(resource: &'r ResourceSchema, name: &FieldName) -> Option<&'r Field> {
    resource
        .fields
        .get(name)
        .or_else(|| resource.fields.get(other_spelling(name.as_str())?.as_str()))
}

/// The name that both spellings share: the resource's own, or else
/// `blackList…`.
fn resolved(resource: &ResourceSchema, name: &FieldName) -> String {
    if let Some(field) = find_field(resource, name) {
        return field.name.to_string();
    }
    other_spelling(name.as_str())
        .filter(|other| other.starts_with("blackList"))
        .unwrap_or_else(|| name.to_string())
}

/// No Campaign field is filled twice; one column may fill several fields
/// ("Data synchronization": several D365 fields to one Campaign field are not
/// allowed).
pub(super) fn one_to_one(
    spec: &TableMapping,
    resource: &ResourceSchema,
    problems: &mut Vec<Problem>,
) {
    let key = resolved(resource, &spec.key.to);
    let mut taken = BTreeMap::from([(key, "the key".to_owned())]);
    for (index, field) in spec.fields.iter().enumerate() {
        let name = resolved(resource, &field.to);
        if let Some(by) = taken.get(&name) {
            let text = format!("the field `{name}` is already filled from {by}");
            let hint = "each Campaign field takes one column: keep one of the two";
            problems.push(Problem::new(&Place::Field(index), "to", text, hint));
        } else {
            taken.insert(name, format!("`{}`", field.from));
        }
    }
    for (index, link) in spec.links.iter().enumerate() {
        let name = resolved(resource, &link.to);
        if let Some(by) = taken.get(&name) {
            let text = format!("the field `{name}` is already filled from {by}");
            let hint = "each Campaign field takes one column: keep one of the two";
            problems.push(Problem::new(&Place::Link(index), "to", text, hint));
        } else {
            taken.insert(name, format!("`{}`", link.from));
        }
    }
}
