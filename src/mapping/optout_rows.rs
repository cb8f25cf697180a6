//! One row of an export of opt-out flags, by the header of its file. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::file_dates::read_instant;
use super::optout::OptoutFiles;
use crate::model::{DateForm, FieldName};

/// What a row says of one flag: its value and, where there is one, its stamp.
pub(crate) type ToldFlag = (bool, Option<Timestamp>);

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToldRow {
    /// The profile's key; none where the profile has none.
    pub(crate) key: Option<String>,
    /// Each flag that was asked for; none where the file does not tell it.
    pub(crate) flags: Vec<Option<ToldFlag>>,
}

/// Reads the rows of one file.
#[derive(Clone, Debug)]
pub(crate) struct FlagReader {
    contact: usize,
    flags: Vec<Places>,
    width: usize,
    dates: DateForm,
    zone: TimeZone,
}

/// Where the columns of a flag stand, with their names.
#[derive(Clone, Debug, Default)]
struct Places {
    value: Option<(usize, String)>,
    stamp: Option<(usize, String)>,
}

impl FlagReader {
    /// Finds the columns of these flags in a header, by name in whatever case
    /// and order.
    ///
    /// # Errors
    /// What the header lacks, and the remedy.
    pub(crate) fn new(
        files: &OptoutFiles,
        flags: &[FieldName],
        header: &[String],
    ) -> Result<Self, String> {
        let place = |name: &String| {
            let place = header.iter().position(|found| found.trim().eq_ignore_ascii_case(name))?;
            Some((place, name.clone()))
        };
        let Some((contact, _)) = place(&files.contact) else {
            return Err(format!(
                "line 1: the header has no column `{}` (optout.sftp.columns.contact); name the header's own in the configuration, or add the column to the export",
                files.contact
            ));
        };
        let places = |flag: &FieldName| {
            let columns = files.columns.iter().find(|columns| columns.flag == *flag)?;
            Some(Places {
                value: columns.value.iter().find_map(place),
                stamp: columns.stamp.iter().find_map(place),
            })
        };
        let flags: Vec<Places> =
            flags.iter().map(|flag| places(flag).unwrap_or_default()).collect();
        if flags.iter().all(|places| places.value.is_none()) {
            return Err("line 1: the header has no column of a paired flag (optout.sftp.columns); name the header's own in the configuration, or add the columns to the export".to_owned());
        }
        let (dates, zone) = (files.format.dates, files.format.time_zone.clone());
        Ok(Self { contact, flags, width: header.len(), dates, zone })
    }

    /// What a row says.
    ///
    /// # Errors
    /// What is wrong with it; names columns, never values.
    pub(crate) fn read(&self, values: &[String]) -> Result<ToldRow, String> {
        if values.len() != self.width {
            let (found, wanted) = (values.len(), self.width);
            return Err(format!("the row has {found} values, the header has {wanted} columns"));
        }
        let text = |place: usize| values.get(place).map_or("", |value| value.trim());
        let flags = self.flags.iter().map(|places| {
            let Some((place, name)) = &places.value else { return Ok(None) };
            let value = boolean(text(*place)).ok_or_else(|| {
                format!("the column `{name}` holds neither true, 1, yes nor false, 0, no")
            })?;
            let stamp = match &places.stamp {
                Some((place, name)) if !text(*place).is_empty() => {
                    let stamp = read_instant(text(*place), self.dates, &self.zone);
                    Some(stamp.ok_or_else(|| {
                        format!(
                            "the column `{name}` is not a time of the form that `date_format` names"
                        )
                    })?)
                }
                Some(_) | None => None,
            };
            Ok(Some((value, stamp)))
        });
        let flags = flags.collect::<Result<_, String>>()?;
        let key = text(self.contact);
        Ok(ToldRow { key: (!key.is_empty()).then(|| key.to_owned()), flags })
    }
}

/// Booleans as exports write them; nothing is no.
fn boolean(text: &str) -> Option<bool> {
    let says = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if says(&["true", "1", "yes"]) {
        return Some(true);
    }
    says(&["false", "0", "no", ""]).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::FlagColumns;
    use crate::model::{FileFormat, Pattern};
    use std::time::Duration;

    fn files() -> OptoutFiles {
        OptoutFiles {
            directory: "d".to_owned(),
            pattern: Pattern::new("*").unwrap(),
            contact: "externalId".to_owned(),
            columns: flags().iter().map(FlagColumns::usual).collect(),
            format: FileFormat::default(),
            delete: false,
            settle: Duration::from_mins(1),
            marker: None,
            alarm: None,
        }
    }

    fn flags() -> Vec<FieldName> {
        ["blackListEmail", "ccpaOptOut"].iter().map(|name| FieldName::new(name).unwrap()).collect()
    }

    fn texts(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    fn read(header: &str, row: &str) -> Result<ToldRow, String> {
        FlagReader::new(&files(), &flags(), &texts(header))?.read(&texts(row))
    }

    #[test]
    fn a_row_is_read_by_names_in_whatever_order_and_spelling() {
        let at = "2025-03-01T10:20:30.456Z";
        let row = read(
            "lastModified,denyListEmailLastModified,EXTERNALID,denyListEmail",
            &format!("x,{at},k,TRUE"),
        );
        let stamp = Some(at.parse().unwrap());
        assert_eq!(
            row,
            Ok(ToldRow { key: Some("k".to_owned()), flags: vec![Some((true, stamp)), None] })
        );
        let row = read("externalId,blackListEmail,ccpaOptOut", ",0,");
        assert_eq!(
            row,
            Ok(ToldRow { key: None, flags: vec![Some((false, None)), Some((false, None))] })
        );
    }

    #[test]
    fn an_empty_stamp_is_none() {
        let row = read("externalId,blackListEmail,blackListEmailLastModified", "k,1, ").unwrap();
        assert_eq!(row.flags, [Some((true, None)), None]);
    }

    #[test]
    fn what_cannot_be_read_is_said_without_values() {
        for (header, row, expected) in [
            ("email,blackListEmail", "a,1", "no column `externalId`"),
            ("externalId,blackListFax", "a,1", "no column of a paired flag"),
            ("externalId,blackListEmail", "a", "1 values, the header has 2 columns"),
            ("externalId,blackListEmail", "a,tru", "`blackListEmail` holds neither"),
            (
                "externalId,blackListEmail,blackListEmailLastModified",
                "a,1,2025-03-0",
                "`blackListEmailLastModified` is not a time",
            ),
        ] {
            let error = read(header, row).unwrap_err();
            assert!(error.contains(expected) && !error.contains("2025"), "{error}");
        }
    }
}
