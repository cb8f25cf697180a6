//! `$select` and `$expand` over definitions.
//!
//! Owns: their reading.

use serde_json::{Map, Value};

use crate::sandbox::dataverse::error::{Refusal, query};

const EXPANDABLE: [&str; 2] = ["OptionSet", "GlobalOptionSet"];

/// Splits a `$select` or `$expand` list at its own commas.
pub(super) fn items(list: &str) -> Vec<(String, Option<String>)> {
    let (mut out, mut depth, mut part) = (Vec::new(), 0_usize, String::new());
    for letter in list.chars().chain([',']) {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == ',' && depth == 0 {
            let (name, options) = part
                .split_once('(')
                .map_or((part.as_str(), None), |(name, rest)| (name, rest.strip_suffix(')')));
            if !name.trim().is_empty() {
                out.push((name.trim().to_owned(), options.map(str::to_owned)));
            }
            part = String::new();
        } else {
            part.push(letter);
        }
    }
    out
}

pub(super) fn inner(options: Option<&str>, name: &str) -> Option<String> {
    let part =
        options?.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(part.to_owned())
}

/// Applies `$select` and `$expand` to a definition.
pub(super) fn shape(
    mut full: Map<String, Value>,
    select: Option<&str>,
    expand: &str,
    type_name: &str,
) -> Result<Map<String, Value>, Refusal> {
    let expanded = items(expand);
    let mut out = Map::new();
    for name in EXPANDABLE {
        let member = full.remove(name);
        if let (Some(mut member), Some((_, options))) =
            (member, expanded.iter().find(|(wanted, _)| wanted == name))
        {
            if let (Some(select), Some(map)) =
                (inner(options.as_deref(), "$select"), member.as_object_mut())
            {
                map.retain(|key, _| {
                    key == "MetadataId" || select.split(',').any(|wanted| wanted.trim() == key)
                });
            }
            out.insert(name.to_owned(), member);
        }
    }
    for (name, _) in &expanded {
        if !EXPANDABLE.contains(&name.as_str()) || !out.contains_key(name) {
            return Err(query(format!(
                "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{type_name}'."
            )));
        }
    }
    match select {
        None => out.extend(full),
        Some(list) => {
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let value = full.get(name).cloned().ok_or_else(|| query(format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{type_name}'.")))?;
                out.insert(name.to_owned(), value);
            }
            for name in ["MetadataId", "@odata.type"] {
                if let Some(value) = full.get(name) {
                    out.insert(name.to_owned(), value.clone());
                }
            }
        }
    }
    Ok(out)
}
