//! Tables of a schema file in the Dataverse look-alike.
//!
//! Owns: what a column of the file becomes, and what the server adds by
//! itself (Dynamics sheet 7).

use std::sync::Arc;

use super::misfit::Misfit;
use super::schema::{ChoiceFile, ColumnFile, ColumnWord, KeyFile, TableFile, name_is_fine};
use crate::sandbox::dataverse::metadata::create::plain;
use crate::sandbox::dataverse::schema::{
    AlternateKey, Behavior, Choice, Column, ColumnType, LookupFlavour, Table, Target,
};
use crate::sandbox::dataverse::store::{Db, TableData};

/// The first number of choices that have none, as a publisher's would begin.
const FIRST_CHOICE: i64 = 727_000_000;

const KIND: &str = "table";

/// Makes all tables; lookups may lead to tables further down. Returns all that is
/// wrong; what could be made is there nonetheless.
pub(super) fn make(db: &mut Db, files: &[TableFile]) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for file in files {
        let name = file.name.to_lowercase();
        let known = db.tables.contains_key(&name);
        let begun = if known { widened(db, file) } else { fresh(db, file) };
        let mut def = match begun {
            Ok(def) => def,
            Err(wrong) => {
                misfits.push(Misfit::whole(KIND, &file.name, wrong));
                continue;
            }
        };
        let mut part = |part: (&str, &str), done: Result<(), String>| {
            let of = (KIND, file.name.as_str());
            misfits.extend(done.err().map(|wrong| Misfit::part(of, part, wrong)));
        };
        for column in &file.columns {
            part(("column", &column.name), add(&mut def, column));
        }
        complete(&mut def, file);
        for key in &file.keys {
            part(("key", &key.name), alternate(&mut def, key));
        }
        let primary = def.primary_name.clone();
        if def.column(&primary).is_none() {
            let wrong = format!("its primary name {primary} is none of its columns");
            misfits.push(Misfit::whole(KIND, &file.name, wrong));
        }
        if known {
            if let Some(data) = db.tables.get_mut(&name) {
                data.def = Arc::new(def);
                data.rekey();
            }
            db.metadata_changed(&name);
        } else {
            db.add_table(TableData::new(def));
        }
    }
    misfits.extend(missing_targets(db, files));
    misfits
}

fn widened(db: &Db, file: &TableFile) -> Result<Table, String> {
    let own = [
        ("set", file.set.is_some()),
        ("label", file.label.is_some()),
        ("primary_name", file.primary_name.is_some()),
        ("activity", file.activity),
    ];
    if let Some((key, _)) = own.iter().find(|(_, given)| *given) {
        return Err(format!(
            "it is there already, {key} cannot be given; columns and keys are added"
        ));
    }
    let found = db.table(&file.name.to_lowercase()).map(|data| data.def.as_ref().clone());
    found.ok_or_else(|| "it is gone".to_owned())
}

fn fresh(db: &Db, file: &TableFile) -> Result<Table, String> {
    let wrong = |text: &str| Err(text.to_owned());
    let prefix = file.name.split_once('_').map(|(prefix, _)| prefix.to_lowercase());
    let Some(prefix) = prefix.filter(|_| name_is_fine(&file.name)) else {
        return wrong(
            "a table of one's own is called with the prefix of a publisher, as in new_Pet",
        );
    };
    let mut def = plain(db, &file.name, file.activity);
    if let Some(set) = &file.set {
        if !name_is_fine(set) {
            return wrong("the name of its set has other characters than letters and digits");
        }
        def.set.clone_from(set);
    }
    if db.sets.contains_key(&def.set) {
        return wrong("the name of its set is taken; set gives it another");
    }
    if let Some(label) = &file.label {
        def.labels = vec![(1033, label.clone())];
    }
    if !file.activity {
        def.primary_name = file.primary_name.clone().unwrap_or_else(|| format!("{prefix}_name"));
    }
    def.tracked = true;
    Ok(def)
}

/// What the server adds: a name column, and the currency of amounts.
fn complete(def: &mut Table, file: &TableFile) {
    if let Some(on) = file.change_tracking {
        def.tracked = on;
    }
    if def.column(&def.primary_name).is_none() && file.primary_name.is_none() {
        let name = def.primary_name.clone();
        let schema_name =
            name.rsplit_once('_').map_or(name.clone(), |(prefix, _)| format!("{prefix}_Name"));
        def.add(Column::new(&schema_name, ColumnType::Text { max: 100 }));
    }
    let money = def.columns.iter().any(|column| column.kind == ColumnType::Money);
    if money && def.column("transactioncurrencyid").is_none() {
        def.add(Column::new(
            "TransactionCurrencyId",
            ColumnType::Lookup {
                flavour: LookupFlavour::Lookup,
                targets: vec![Target {
                    table: "transactioncurrency".to_owned(),
                    navigation: "transactioncurrencyid".to_owned(),
                }],
            },
        ));
    }
}

fn add(def: &mut Table, file: &ColumnFile) -> Result<(), String> {
    if !name_is_fine(&file.name) {
        return Err("a name has letters, digits and underscores".to_owned());
    }
    if def.column(&file.name.to_lowercase()).is_some() {
        return Err("it is there already".to_owned());
    }
    let mut column = Column::new(&file.name, kind(def, file)?);
    if file.read_only {
        column = column.read_only();
    }
    if let Some(label) = &file.label {
        def.column_labels.insert(column.name.clone(), vec![(1033, label.clone())]);
    }
    def.add(column);
    Ok(())
}

/// Keys of a column that do not go with its type.
fn stray(file: &ColumnFile) -> Option<&'static str> {
    use ColumnWord as Is;
    let is = |words: &[ColumnWord]| words.contains(&file.kind);
    let given = [
        ("max", file.max.is_some(), is(&[Is::Text, Is::Memo, Is::Integer, Is::Decimal])),
        ("min", file.min.is_some(), is(&[Is::Integer])),
        ("precision", file.precision.is_some(), is(&[Is::Decimal])),
        ("default", file.default.is_some(), is(&[Is::Boolean])),
        ("choices", !file.choices.is_empty(), is(&[Is::Boolean, Is::Choice, Is::Choices])),
        ("targets", !file.targets.is_empty(), is(&[Is::Lookup])),
        ("zoneless", file.zoneless, is(&[Is::DateTime])),
    ];
    given.iter().find(|(_, given, fits)| *given && !fits).map(|(key, _, _)| *key)
}

fn kind(def: &Table, file: &ColumnFile) -> Result<ColumnType, String> {
    if let Some(key) = stray(file) {
        return Err(format!("{key} does not go with this type"));
    }
    let length = |usual: i64| {
        usize::try_from(file.max.unwrap_or(usual))
            .ok()
            .filter(|max| (1..=1_048_576).contains(max))
            .ok_or("max is 1 to 1048576 characters")
    };
    Ok(match file.kind {
        ColumnWord::Text => ColumnType::Text { max: length(100)? },
        ColumnWord::Memo => ColumnType::Memo { max: length(2000)? },
        ColumnWord::Integer => ColumnType::Integer {
            min: file.min.unwrap_or(i64::from(i32::MIN)),
            max: file.max.unwrap_or(i64::from(i32::MAX)),
        },
        ColumnWord::BigInteger => ColumnType::BigInt,
        ColumnWord::Decimal => ColumnType::Decimal {
            precision: file.precision.unwrap_or(2).min(10),
            limit: file.max.unwrap_or(100_000_000_000),
        },
        ColumnWord::Double => ColumnType::Double,
        ColumnWord::Money => ColumnType::Money,
        ColumnWord::Boolean => boolean(file)?,
        ColumnWord::Choice => ColumnType::Picklist(choices(file)?),
        ColumnWord::Choices => ColumnType::MultiSelect(choices(file)?),
        ColumnWord::Date => {
            ColumnType::DateTime { behavior: Behavior::DateOnly, date_format: true }
        }
        ColumnWord::DateTime if file.zoneless => {
            ColumnType::DateTime { behavior: Behavior::TimeZoneIndependent, date_format: false }
        }
        ColumnWord::DateTime => {
            ColumnType::DateTime { behavior: Behavior::UserLocal, date_format: false }
        }
        ColumnWord::Lookup => lookup(def, file)?,
        ColumnWord::Guid => ColumnType::Uniqueidentifier,
    })
}

fn choice(file: &ChoiceFile, value: i64) -> Choice {
    let german = file.german.clone().unwrap_or_else(|| file.label.clone());
    Choice { value, english: file.label.clone(), german, partner: None }
}

fn boolean(file: &ColumnFile) -> Result<ColumnType, String> {
    let plain = |value: i64, english: &str, german: &str| Choice {
        value,
        english: english.to_owned(),
        german: german.to_owned(),
        partner: None,
    };
    let labels = match file.choices.as_slice() {
        [] => [plain(1, "Yes", "Ja"), plain(0, "No", "Nein")],
        [yes, no] if yes.value.unwrap_or(1) == 1 && no.value.unwrap_or(0) == 0 => {
            [choice(yes, 1), choice(no, 0)]
        }
        _ => return Err("a boolean has two choices, first that of true, then of false".to_owned()),
    };
    Ok(ColumnType::Boolean { default: file.default.unwrap_or(false), labels })
}

fn choices(file: &ColumnFile) -> Result<Vec<Choice>, String> {
    if file.choices.is_empty() {
        return Err("choices are missing, as in choices = [{ label = \"Dog\" }]".to_owned());
    }
    let mut out: Vec<Choice> = Vec::new();
    let mut next = FIRST_CHOICE;
    for given in &file.choices {
        let value = given.value.unwrap_or(next);
        if i32::try_from(value).is_err() || out.iter().any(|known| known.value == value) {
            return Err(format!("the choice {value} is there twice or too large"));
        }
        next = value + 1;
        out.push(choice(given, value));
    }
    Ok(out)
}

/// The navigation property is the schema name; a lookup with several targets
/// has one for each, and those of activities end with the table's name.
fn lookup(def: &Table, file: &ColumnFile) -> Result<ColumnType, String> {
    if file.targets.is_empty() {
        return Err("targets are missing, as in targets = [\"contact\"]".to_owned());
    }
    let suffix = if def.activity { format!("_{}", def.name) } else { String::new() };
    let several = file.targets.len() > 1;
    let target = |table: &String| Target {
        table: table.clone(),
        navigation: if several {
            format!("{}_{table}{suffix}", file.name)
        } else {
            format!("{}{suffix}", file.name)
        },
    };
    Ok(ColumnType::Lookup {
        flavour: LookupFlavour::Lookup,
        targets: file.targets.iter().map(target).collect(),
    })
}

fn alternate(def: &mut Table, file: &KeyFile) -> Result<(), String> {
    let columns: Vec<&str> = file.columns.iter().map(String::as_str).collect();
    if columns.is_empty() || !name_is_fine(&file.name) {
        return Err("a key has a name and columns".to_owned());
    }
    for name in &columns {
        let column = def.column(name).ok_or_else(|| format!("there is no column {name}"))?;
        if matches!(column.kind, ColumnType::Memo { .. } | ColumnType::MultiSelect(_)) {
            return Err(format!("{name} is of a type that no key may have"));
        }
    }
    let key = AlternateKey::ready(&file.name, &columns);
    if def.keys.iter().any(|known| known.name == key.name) {
        return Err("it is there already".to_owned());
    }
    def.keys.push(key);
    Ok(())
}

/// Lookups that lead nowhere. A table of the file counts also where it is wrong:
/// that is told already.
fn missing_targets(db: &Db, files: &[TableFile]) -> Vec<Misfit> {
    let meant = |name: &str| files.iter().any(|file| file.name.to_lowercase() == name);
    let of = |file: &TableFile, column: &ColumnFile| {
        let missing =
            column.targets.iter().find(|name| !db.tables.contains_key(*name) && !meant(name))?;
        let wrong =
            format!("there is no table {missing}; targets are logical names, in lower case");
        Some(Misfit::part((KIND, &file.name), ("column", &column.name), wrong))
    };
    files
        .iter()
        .flat_map(|file| file.columns.iter().filter_map(move |column| of(file, column)))
        .collect()
}
