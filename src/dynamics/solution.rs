//! Publisher and solution: who makes tables, and the bundle they lie in
//! (Dynamics sheet, 7.4).

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::dynamics::link::encode;
use crate::dynamics::wire::{List, parse};
use crate::dynamics::{Failure, MetadataRequest, Outcome, Reader};

/// English, where the environment does not tell its language.
const ENGLISH: u32 = 1033;

/// The version of a solution whose tables are not all published yet. A run that
/// was interrupted is known by it.
const UNFINISHED: &str = "0.9.0.0";
const FINISHED: &str = "1.0.0.0";

/// The name space of the ids that are given to publishers and solutions: a
/// request that is repeated then makes no second one. A server may give ids of
/// its own all the same.
const IDS: Uuid = Uuid::from_u128(0x2b6f_0f5e_1c1b_4f53_9d57_b0b1_3a5e_64c8);

/// A publisher that is there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Publisher {
    #[serde(rename = "publisherid")]
    pub(crate) id: Uuid,
    #[serde(rename = "uniquename")]
    pub(crate) name: String,
    /// The customization prefix, without `_`.
    #[serde(default, rename = "customizationprefix")]
    pub(crate) prefix: Option<String>,
}

/// A solution that is there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Solution {
    #[serde(rename = "solutionid")]
    id: Uuid,
    #[serde(rename = "uniquename")]
    name: String,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
struct LanguageRow {
    #[serde(default)]
    languagecode: Option<u32>,
}

impl Solution {
    /// Its id.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Whether an earlier run ended before it had published its tables.
    pub(crate) fn unfinished(&self) -> bool {
        self.version.as_deref() == Some(UNFINISHED)
    }

    /// The request that says that all is published.
    pub(crate) fn finish(&self) -> MetadataRequest {
        finish(self.id)
    }
}

impl Reader {
    /// The publishers with this customization prefix, or of this unique name.
    pub(crate) async fn publishers(
        &self,
        prefix: &str,
        name: &str,
    ) -> Result<Vec<Publisher>, Failure> {
        let filter =
            encode(&format!("customizationprefix eq '{prefix}' or uniquename eq '{name}'"));
        let path = format!(
            "publishers?$select=publisherid,uniquename,customizationprefix&$filter={filter}"
        );
        let list: List<Publisher> = parse(&self.get(&path).await?)?;
        let wanted = |one: &Publisher| one.prefix.as_deref() == Some(prefix) || one.name == name;
        Ok(list.value.into_iter().filter(wanted).collect())
    }

    /// The solution of this unique name.
    pub(crate) async fn solution(&self, name: &str) -> Result<Option<Solution>, Failure> {
        let filter = encode(&format!("uniquename eq '{name}'"));
        let path = format!("solutions?$select=solutionid,uniquename,version&$filter={filter}");
        let list: List<Solution> = parse(&self.get(&path).await?)?;
        Ok(list.value.into_iter().find(|one| one.name.eq_ignore_ascii_case(name)))
    }

    /// The language (LCID) that every label must be given in; English where the
    /// environment does not tell.
    pub(crate) async fn base_language(&self) -> Result<u32, Failure> {
        let response = match self.get("organizations?$select=languagecode").await {
            Ok(response) => response,
            // Answered, and without the column.
            Err(failure)
                if matches!(
                    failure.outcome,
                    Outcome::Setup | Outcome::Missing | Outcome::BadRecord
                ) =>
            {
                return Ok(ENGLISH);
            }
            Err(failure) => return Err(failure),
        };
        let rows: List<LanguageRow> = parse(&response)?;
        Ok(rows.value.first().and_then(|row| row.languagecode).unwrap_or(ENGLISH))
    }
}

fn id_of(kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&IDS, format!("{kind}:{name}").as_bytes())
}

/// The id that [`make_publisher`] gives.
pub(crate) fn publisher_id(name: &str) -> Uuid {
    id_of("publisher", name)
}

/// The id that [`make_solution`] gives.
pub(crate) fn solution_id(name: &str) -> Uuid {
    id_of("solution", name)
}

/// The request that makes a publisher.
pub(crate) fn make_publisher(name: &str, prefix: &str) -> MetadataRequest {
    // 10000 to 99999; options of one's own, of which there are none, would
    // begin at ten thousand times this.
    let number =
        prefix.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 90_000) + 10_000;
    MetadataRequest {
        method: "POST",
        path: "publishers".to_owned(),
        header: None,
        body: json!({
            "publisherid": publisher_id(name), "uniquename": name, "friendlyname": name,
            "description": "Made by cdsync provision",
            "customizationprefix": prefix, "customizationoptionvalueprefix": number,
        }),
    }
}

/// The request that makes a solution of a publisher.
pub(crate) fn make_solution(name: &str, publisher: Uuid) -> MetadataRequest {
    MetadataRequest {
        method: "POST",
        path: "solutions".to_owned(),
        header: None,
        body: json!({
            "solutionid": solution_id(name), "uniquename": name,
            "friendlyname": "Campaign email events (cdsync)",
            "description": "Made by cdsync provision", "version": UNFINISHED,
            "publisherid@odata.bind": format!("publishers({publisher})"),
        }),
    }
}

/// The request that says that all of a solution made here is published.
pub(crate) fn finish_new(name: &str) -> MetadataRequest {
    finish(solution_id(name))
}

fn finish(id: Uuid) -> MetadataRequest {
    MetadataRequest {
        method: "PATCH",
        path: format!("solutions({id})"),
        header: Some(("If-Match", "*".to_owned())),
        body: json!({ "version": FINISHED }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_has_a_number_in_range_and_always_the_same_id() {
        for prefix in ["new", "acme", "zz", "abcdefgh"] {
            let body = make_publisher("cdsync", prefix).body;
            let number = body["customizationoptionvalueprefix"].as_u64().unwrap();
            assert!((10_000..100_000).contains(&number), "{prefix}");
            assert_eq!(body, make_publisher("cdsync", prefix).body);
        }
    }
}
