//! The files of `sandbox`: schemas, data, faults.
//!
//! Owns: finding and reading them. What they mean is the sandbox's.

use std::path::{Path, PathBuf};

use crate::cli::args;
use crate::cli::exit::{End, Exit};
use crate::cli::output::count;
use crate::sandbox::{DataFile, FaultPlan, FileForm, Sandbox, Variants};

/// Bytes that one file may have.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Problems that are shown; the number of the others is.
const SHOWN: usize = 20;

/// All that the command line names.
pub(super) struct Inputs {
    pub(super) schemas: Vec<(PathBuf, String, FileForm)>,
    pub(super) data: Vec<DataFile>,
    pub(super) faults: FaultPlan,
    pub(super) variants: Variants,
}

fn usage(text: String) -> End {
    End::new(Exit::Usage, text)
}

fn text(file: &Path) -> Result<String, End> {
    let wrong =
        |error: std::io::Error| usage(format!("{} cannot be read: {error}", file.display()));
    let bytes = std::fs::metadata(file).map_err(wrong)?.len();
    if bytes > LARGEST {
        return Err(usage(format!("{} is larger than {LARGEST} bytes", file.display())));
    }
    std::fs::read_to_string(file).map_err(wrong)
}

/// The form by the end of the name.
fn form(file: &Path, known: &[FileForm], ends: &str) -> Result<FileForm, End> {
    let name = file.to_string_lossy();
    let form = FileForm::of_name(&name).filter(|form| known.contains(form));
    form.ok_or_else(|| usage(format!("{name}: its name must end with {ends}")))
}

/// Reads everything, before a port is opened.
pub(super) fn read(arguments: &args::Sandbox) -> Result<Inputs, End> {
    let mut schemas = Vec::new();
    for file in &arguments.schema {
        let form = form(file, &[FileForm::Toml, FileForm::Json], ".toml or .json")?;
        schemas.push((file.clone(), text(file)?, form));
    }
    let mut data = Vec::new();
    for what in &arguments.data {
        match what.split_once('=') {
            Some((target, file)) => data.push(one(target, Path::new(file))?),
            None if Path::new(what).is_dir() => data.extend(folder(Path::new(what))?),
            None => data.push(called(Path::new(what))?),
        }
    }
    let mut variants = Variants::default();
    for pair in &arguments.variant {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("--variant {pair}: write NAME=VALUE")))?;
        variants.set(name.trim(), value.trim()).map_err(|error| usage(error.to_string()))?;
    }
    let faults = arguments.faults.as_deref().map(faults).transpose()?.unwrap_or_default();
    Ok(Inputs { schemas, data, faults, variants })
}

fn faults(file: &Path) -> Result<FaultPlan, End> {
    let wrong = |error: String| usage(format!("{}: {error}", file.display()));
    let text = text(file)?;
    if FileForm::of_name(&file.to_string_lossy()) == Some(FileForm::Json) {
        return serde_json::from_str(&text).map_err(|error| wrong(error.to_string()));
    }
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn one(target: &str, file: &Path) -> Result<DataFile, End> {
    let form = form(file, &[FileForm::Csv, FileForm::Json], ".csv or .json")?;
    let name = file.display().to_string();
    Ok(DataFile { name, target: target.trim().to_owned(), form, text: text(file)? })
}

fn called(file: &Path) -> Result<DataFile, End> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    one(&stem.unwrap_or_default(), file)
}

/// The data files of a folder, in the order of their names.
fn folder(folder: &Path) -> Result<Vec<DataFile>, End> {
    let wrong =
        |error: std::io::Error| usage(format!("{} cannot be read: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let data = FileForm::of_name(&path.to_string_lossy());
        if matches!(data, Some(FileForm::Csv | FileForm::Json)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(usage(format!("{} has no .csv and no .json file", folder.display())));
    }
    files.sort();
    files.iter().map(|file| called(file)).collect()
}

/// Gives the sandbox all of it; one line for each file.
pub(super) fn load(sandbox: &Sandbox, inputs: &Inputs) -> Result<Vec<String>, End> {
    let mut said = Vec::new();
    for (file, text, form) in &inputs.schemas {
        let made = sandbox.customize(text, *form);
        let made = made.map_err(|error| usage(format!("{}: {error}", file.display())))?;
        said.push(format!(
            "  schema    {}: {} tables, {} resources",
            file.display(),
            made.tables,
            made.resources
        ));
    }
    let counts = sandbox.load(&inputs.data).map_err(|problems| {
        let mut lines: Vec<String> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
        if problems.len() > SHOWN {
            lines.push(format!("and {} more", problems.len() - SHOWN));
        }
        usage(lines.join("\n"))
    })?;
    for (file, rows) in inputs.data.iter().zip(counts) {
        let rows = count(u64::try_from(rows).unwrap_or(u64::MAX));
        said.push(format!("  data      {}: {rows} rows for {}", file.name, file.target));
    }
    Ok(said)
}
