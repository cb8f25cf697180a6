//! `FetchXML` over one table: columns, filters, order, pages.
//!
//! Owns: its elements. `link-entity` and aggregates are not part of this sandbox.

use super::xml::{self, Element};
use super::{Asked, column, like, literal, malformed, unsupported};
use crate::sandbox::dataverse::error::Refusal;
use crate::sandbox::dataverse::schema::Table;

/// Reads a question about `table`.
pub(super) fn read(text: &str, table: &Table) -> Result<Asked, Refusal> {
    let fetch = xml::read(text)?;
    if fetch.name != "fetch" {
        return Err(malformed("FetchXML begins with <fetch>."));
    }
    if fetch.get("aggregate") == Some("true") {
        return Err(unsupported("An aggregate in FetchXML"));
    }
    let number = |name: &str| fetch.get(name).map(str::parse::<usize>).transpose();
    let wrong = |_| malformed("top, count and page are numbers.");
    let mut asked = Asked { top: number("top").map_err(wrong)?, ..Asked::default() };
    let (count, page) = (number("count").map_err(wrong)?, number("page").map_err(wrong)?);
    if count.is_some() || page.is_some() {
        let page = u64::try_from(page.unwrap_or(1)).unwrap_or(1).max(1);
        asked.page = Some((count.unwrap_or(super::read::LARGEST).max(1), page));
    }
    asked.cookie = fetch.get("paging-cookie").map(str::to_owned);
    let [entity] = fetch.children.as_slice() else {
        return Err(malformed("<fetch> holds one <entity>."));
    };
    if entity.get("name") != Some(&table.name) {
        return Err(malformed(format!("The entity of the FetchXML is not {}.", table.name)));
    }
    let mut filters = Vec::new();
    for element in &entity.children {
        match element.name.as_str() {
            "attribute" => {
                asked.select.push(column(table, attribute(element, "name")?)?.1);
            }
            "all-attributes" => {}
            "order" => {
                let name = column(table, attribute(element, "attribute")?)?.1;
                let down = element.get("descending") == Some("true");
                asked.order.push(format!("{name} {}", if down { "desc" } else { "asc" }));
            }
            "filter" => filters.extend(filter(table, element)?),
            other => return Err(unsupported(&format!("<{other}> in FetchXML"))),
        }
    }
    asked.filter = (!filters.is_empty()).then(|| filters.join(" and "));
    Ok(asked)
}

fn attribute<'a>(element: &'a Element, name: &str) -> Result<&'a str, Refusal> {
    element
        .get(name)
        .ok_or_else(|| malformed(format!("<{}> lacks the attribute {name}.", element.name)))
}

/// A filter in parentheses; an empty one says nothing.
fn filter(table: &Table, element: &Element) -> Result<Option<String>, Refusal> {
    let joint = match element.get("type").unwrap_or("and") {
        "and" => " and ",
        "or" => " or ",
        other => return Err(malformed(format!("A filter is of type and or or, not {other}."))),
    };
    let mut parts = Vec::new();
    for child in &element.children {
        match child.name.as_str() {
            "condition" => parts.push(condition(table, child)?),
            "filter" => parts.extend(filter(table, child)?),
            other => return Err(unsupported(&format!("<{other}> in a filter"))),
        }
    }
    Ok((!parts.is_empty()).then(|| format!("({})", parts.join(joint))))
}

fn condition(table: &Table, element: &Element) -> Result<String, Refusal> {
    let (column, name) = column(table, attribute(element, "attribute")?)?;
    let operator = attribute(element, "operator")?;
    let value = || attribute(element, "value");
    let compared = |word: &str| Ok(format!("{name} {word} {}", literal(column, value()?)));
    match operator {
        "eq" | "ne" | "gt" | "ge" | "lt" | "le" => compared(operator),
        "neq" => compared("ne"),
        "on-or-after" => compared("ge"),
        "on-or-before" => compared("le"),
        "null" => Ok(format!("{name} eq null")),
        "not-null" => Ok(format!("{name} ne null")),
        "like" => Ok(like(&name, value()?)),
        "not-like" => Ok(format!("not {}", like(&name, value()?))),
        "begins-with" => Ok(like(&name, &format!("{}%", value()?))),
        "ends-with" => Ok(like(&name, &format!("%{}", value()?))),
        "in" | "not-in" => {
            let values: Vec<String> = element
                .children
                .iter()
                .map(|child| format!("{name} eq {}", literal(column, &child.text)))
                .collect();
            if values.is_empty() {
                return Err(malformed("The operator in wants values."));
            }
            let any = format!("({})", values.join(" or "));
            Ok(if operator == "in" { any } else { format!("not {any}") })
        }
        other => Err(unsupported(&format!("The operator {other}"))),
    }
}
