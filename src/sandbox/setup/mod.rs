//! A customizing of one's own: tables and resources from a schema file, rows
//! from data files.
//!
//! Owns: the files as written and what they become. A wrong file changes
//! nothing that matters: whoever loads it is told and starts anew.

mod convert;
mod misfit;
mod records;
mod resources;
mod rows;
mod schema;
mod source;
mod tables;

use std::fmt;
use std::sync::PoisonError;

use super::Sandbox;
use super::log::System;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// Comma, semicolon or tab between the cells, names in the first row.
    Csv,
    /// A list of objects, or what a Web API's list answers.
    Json,
    /// For schemas and fault plans.
    Toml,
}

impl FileForm {
    /// The form by the end of a file's name.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Rows for a table or records for a resource.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// What messages call it.
    pub name: String,
    /// A table's logical name, its set's name, or a resource's name.
    pub target: String,
    /// How it is written.
    pub form: FileForm,
    /// All of it.
    pub text: String,
}

/// What is wrong with a data file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataProblem {
    /// The file.
    pub file: String,
    /// Line of the row, from 1; none where it is about the file as a whole.
    pub line: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// What is wrong, with what would be right.
    pub problem: String,
}

impl fmt::Display for DataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What a schema file has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Customized {
    /// Tables made or widened.
    pub tables: usize,
    /// Resources made or widened.
    pub resources: usize,
}

impl Sandbox {
    /// Makes the tables and resources of a schema file, and adds columns and
    /// fields to those that are there. The text says all that is wrong, a line for
    /// each, with its line in the file.
    pub fn customize(&self, text: &str, form: FileForm) -> Result<Customized, String> {
        let schema = schema::read(text, form)?;
        let mut dynamics = self.shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut campaign = self.shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let mut misfits = tables::make(&mut dynamics, &schema.tables);
        misfits.extend(resources::make(&mut campaign, &schema.resources));
        if !misfits.is_empty() {
            let mut told: Vec<_> = misfits.iter().map(|misfit| misfit.told(text)).collect();
            told.sort_by_key(|(line, _)| *line);
            let told: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
            return Err(told.join("\n"));
        }
        Ok(Customized { tables: schema.tables.len(), resources: schema.resources.len() })
    }

    /// Loads rows and records. Files may refer to each other in any order.
    /// Returns how many each brought, or all that is wrong with them.
    pub fn load(&self, files: &[DataFile]) -> Result<Vec<usize>, Vec<DataProblem>> {
        let mut dynamics = self.shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut campaign = self.shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let variants = *self.shared.variants.lock().unwrap_or_else(PoisonError::into_inner);
        let now = |system| self.shared.clocks.of(system).now().as_millisecond();
        let mut rows = rows::Loader::new(&mut dynamics, now(System::Dynamics));
        let mut records = records::Loader::new(&mut campaign, variants, now(System::Campaign));
        let mut counts = Vec::with_capacity(files.len());
        let mut problems = Vec::new();
        for file in files {
            let read = match source::read(file) {
                Ok(read) => read,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            counts.push(read.len());
            match target(&file.target, &rows, &records) {
                Ok(Target::Table(table)) => rows.file(file, &table, read),
                Ok(Target::Resource(resource)) => records.file(file, &resource, read),
                Err(problem) => problems.push(whole(file, problem)),
            }
        }
        problems.extend(rows.finish());
        problems.extend(records.finish());
        if problems.is_empty() { Ok(counts) } else { Err(problems) }
    }
}

/// A problem of a file as a whole.
fn whole(file: &DataFile, problem: String) -> DataProblem {
    DataProblem { file: file.name.clone(), line: None, column: None, problem }
}

enum Target {
    Table(String),
    Resource(String),
}

/// What a name stands for; no table is called as a resource is.
fn target(
    name: &str,
    rows: &rows::Loader<'_>,
    records: &records::Loader<'_>,
) -> Result<Target, String> {
    if let Some(table) = rows.table(name) {
        return Ok(Target::Table(table));
    }
    if records.knows(name) {
        return Ok(Target::Resource(name.to_owned()));
    }
    Err(format!(
        "there is no table and no resource {name:?}; \
         data files are called as what they fill, a schema file makes more of it"
    ))
}
