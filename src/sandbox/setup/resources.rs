//! Resources of a schema file in the Campaign look-alike.
//!
//! Owns: what a field of the file becomes, and what Campaign adds by itself
//! (campaign sheet 3.1 and 6).

use std::sync::Arc;

use super::misfit::Misfit;
use super::schema::{
    FieldFile, FieldWord, FilterFile, OperatorWord, ResourceFile, ResourceKeyFile, Root,
    name_is_fine,
};
use crate::sandbox::campaign::builtin::audit;
use crate::sandbox::campaign::schema::{
    Api, EnumValue, FieldType, Filter, FilterOperator, Key, Resource,
};
use crate::sandbox::campaign::store::{Db, ResourceData};

const KIND: &str = "resource";

/// Makes all resources; links may lead to resources further down. Returns all that
/// is wrong; what could be made is there nonetheless.
pub(super) fn make(db: &mut Db, files: &[ResourceFile]) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for file in files {
        let known = db.place(&file.name);
        let begun = match known.and_then(|at| db.resources.get(at)) {
            Some(data) if file.label.is_none() && file.api.is_none() => {
                Ok(data.def.as_ref().clone())
            }
            Some(_) => Err("it is there already, label and api cannot be given; fields, keys \
                 and filters are added"
                .to_owned()),
            None => fresh(file),
        };
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
        for field in &file.fields {
            part(("field", &field.name), add(&mut def, field));
        }
        for key in &file.keys {
            part(("key", &key.field), identify(&mut def, key));
        }
        for wanted in &file.filters {
            part(("filter", &wanted.name), filter(&mut def, wanted));
        }
        take_in(db, known, def);
    }
    misfits.extend(missing_targets(db, files));
    misfits
}

/// Puts a resource into its place, or behind the others.
fn take_in(db: &mut Db, known: Option<usize>, def: Resource) {
    let numbers: Vec<u16> =
        def.fields.iter().filter(|field| field.indexed).map(|field| field.number).collect();
    match known.and_then(|at| db.resources.get_mut(at)) {
        Some(data) => {
            data.def = Arc::new(def);
            for number in numbers {
                data.index_anew(number);
            }
        }
        None => db.resources.push(ResourceData::new(def)),
    }
}

fn fresh(file: &ResourceFile) -> Result<Resource, String> {
    let Some(stem) = file.name.strip_prefix("cus").filter(|_| name_is_fine(&file.name)) else {
        return Err("a resource of one's own begins with cus, as in cusPet".to_owned());
    };
    let mut letters = stem.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    let api = match file.api {
        Some(Root::Custom) => Api::Custom,
        Some(Root::Ext) | None => Api::Ext,
    };
    let label = file.label.as_deref().unwrap_or(stem);
    let schema = format!("cus:{first}{}", letters.as_str());
    let mut resource = Resource::new(&file.name, label, &schema, &[api]);
    audit(&mut resource);
    let link = |field: &&FieldFile| field.kind == FieldWord::Link;
    resource.parent = file.fields.iter().find(link).map(|field| field.name.clone());
    Ok(resource)
}

fn add(def: &mut Resource, file: &FieldFile) -> Result<(), String> {
    if !name_is_fine(&file.name) {
        return Err("a name has letters, digits and underscores".to_owned());
    }
    if def.field(&file.name).is_some() {
        return Err("it is there already".to_owned());
    }
    let field = def.add(&file.name, kind(file)?);
    field.read_only = file.read_only;
    Ok(())
}

fn kind(file: &FieldFile) -> Result<FieldType, String> {
    let given = [
        ("max", file.max.is_some(), FieldWord::Text),
        ("values", !file.values.is_empty(), FieldWord::Enumeration),
        ("target", file.target.is_some(), FieldWord::Link),
    ];
    if let Some((key, _, _)) = given.iter().find(|(_, given, of)| *given && file.kind != *of) {
        return Err(format!("{key} does not go with this type"));
    }
    Ok(match file.kind {
        FieldWord::Text => {
            let max = file.max.unwrap_or(100);
            if !(1..=100_000).contains(&max) {
                return Err("max is 1 to 100000 characters".to_owned());
            }
            FieldType::Text { max }
        }
        FieldWord::Memo => FieldType::Memo,
        FieldWord::Byte => FieldType::Byte,
        FieldWord::Short => FieldType::Short,
        FieldWord::Long => FieldType::Long,
        FieldWord::Int64 => FieldType::Int64,
        FieldWord::Double => FieldType::Double,
        FieldWord::Boolean => FieldType::Boolean,
        FieldWord::Date => FieldType::Date,
        FieldWord::DateTime => FieldType::DateTime,
        FieldWord::Enumeration => enumeration(file)?,
        FieldWord::Link => {
            let target = file.target.clone();
            let target = target.ok_or("target is missing, as in target = \"profile\"")?;
            FieldType::Link { target }
        }
    })
}

fn enumeration(file: &FieldFile) -> Result<FieldType, String> {
    if file.values.is_empty() {
        return Err("values are missing, as in values = [{ name = \"dog\" }]".to_owned());
    }
    let mut values: Vec<EnumValue> = Vec::new();
    for given in &file.values {
        if values.iter().any(|known| known.name == given.name) {
            return Err(format!("the value {} is there twice", given.name));
        }
        values.push(EnumValue {
            name: given.name.clone(),
            label: given.label.clone().unwrap_or_else(|| given.name.clone()),
            value: given.value.clone().unwrap_or_else(|| given.name.clone()),
        });
    }
    // Every enumeration has it, for what no value fits.
    let invalid = "__Invalid_value__";
    values.push(EnumValue {
        name: invalid.to_owned(),
        label: "Invalid value".to_owned(),
        value: invalid.to_owned(),
    });
    Ok(FieldType::Enumeration { values, byte: false })
}

/// Fields that are looked up by value are indexed.
fn indexed(def: &mut Resource, name: &str) -> Result<(), String> {
    let field = def.fields.iter_mut().find(|field| field.item.is_none() && field.name == name);
    let field = field.ok_or_else(|| format!("there is no field {name}"))?;
    let fits = matches!(
        field.kind,
        FieldType::Text { .. } | FieldType::Short | FieldType::Long | FieldType::Int64
    );
    field.indexed |= fits;
    Ok(())
}

fn identify(def: &mut Resource, file: &ResourceKeyFile) -> Result<(), String> {
    indexed(def, &file.field)?;
    if !def.field(&file.field).is_some_and(|field| field.indexed) {
        return Err("a key is a text or an integer".to_owned());
    }
    if def.keys.iter().any(|known| known.field == file.field) {
        return Err("it is there already".to_owned());
    }
    let stem = |name: &str| name.strip_prefix("cus").unwrap_or(name).to_lowercase();
    def.keys.push(Key {
        field: file.field.clone(),
        in_uri: file.in_uri,
        optional: false,
        constraint: format!("{}_{}", def.name.to_lowercase(), stem(&file.field)),
        column: format!("s{}", stem(&file.field)),
    });
    Ok(())
}

fn filter(def: &mut Resource, file: &FilterFile) -> Result<(), String> {
    if !name_is_fine(&file.name) || !name_is_fine(&file.parameter) {
        return Err("names have letters, digits and underscores".to_owned());
    }
    if def.filters.iter().any(|known| known.name == file.name) {
        return Err("it is there already".to_owned());
    }
    indexed(def, &file.field)?;
    def.filters.push(Filter {
        name: file.name.clone(),
        custom: true,
        parameter: file.parameter.clone(),
        field: file.field.clone(),
        operator: match file.operator {
            OperatorWord::Equal => FilterOperator::Equal,
            OperatorWord::AtLeast => FilterOperator::AtLeast,
            OperatorWord::Prefix => FilterOperator::Prefix,
        },
    });
    Ok(())
}

/// Links that lead nowhere. A resource of the file counts also where it is wrong:
/// that is told already.
fn missing_targets(db: &Db, files: &[ResourceFile]) -> Vec<Misfit> {
    let meant = |name: &str| files.iter().any(|file| file.name == name);
    let of = |file: &ResourceFile, field: &FieldFile| {
        let target = field.target.as_ref().filter(|name| !meant(name))?;
        db.place(target).is_none().then(|| {
            let wrong = format!("there is no resource {target}");
            Misfit::part((KIND, &file.name), ("field", &field.name), wrong)
        })
    };
    files
        .iter()
        .flat_map(|file| file.fields.iter().filter_map(move |field| of(file, field)))
        .collect()
}
