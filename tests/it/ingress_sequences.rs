//! Changes of the configuration in any order, with changes of the data between:
//! what Campaign holds then is what a store that knows nothing would make of it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::ingress_families::{Dice, bound};
use crate::ingress_links::{add_vehicle, change_vehicle};
use crate::support::{Counts, Setup, World};

const SEQUENCES: u64 = 12;
const CHANGES: usize = 4;

const TITLES: [Option<&str>; 4] = [Some("Chief"), Some("Clerk"), Some("Cook"), None];
const COLUMNS: [&str; 4] = ["jobtitle", "firstname", "middlename", "gendercode"];
const TARGETS: [&str; 3] = ["cusNote", "fax", "thumbnail"];
const RULES: [&str; 5] = [
    "{ column = \"jobtitle\", is = \"not-null\" }",
    "{ column = \"jobtitle\", is = \"in\", value = [\"Chief\", \"Cook\"] }",
    "{ column = \"statecode\", is = \"eq\", value = 0 }",
    "{ column = \"new_points\", is = \"ge\", value = 20 }",
    "{ column = \"gendercode\", is = \"eq\", value = \"Male\" }",
];
const CARS: [&str; 2] = [
    "{ column = \"new_plate\", is = \"not-null\" }",
    "{ column = \"statecode\", is = \"eq\", value = 0 }",
];

/// A configuration; what is absent is not in it.
#[derive(Clone, Debug, Default)]
struct Config {
    /// By target: column, and whether an empty one is left alone.
    fields: [Option<(usize, bool)>; 3],
    filter: Option<(usize, bool)>,
    /// Another replacement of the gender.
    male: bool,
    plate: bool,
    cars: Option<(usize, bool)>,
    /// With the choice for parents that are missing.
    link: Option<bool>,
}

impl Config {
    fn changed(&self, dice: &mut Dice) -> Self {
        let mut next = self.clone();
        let flag = dice.roll(2) == 0;
        match dice.roll(8) {
            0 | 1 => next.fields[dice.roll(3)] = Some((dice.roll(4), flag)),
            2 => next.fields[dice.roll(3)] = None,
            3 => next.filter = Some((dice.roll(RULES.len()), flag)),
            4 => next.filter = self.filter.and_then(|(rule, _)| flag.then_some((rule, !flag))),
            5 => next.link = [None, Some(flag)][usize::from(self.link.is_none() || flag)],
            6 => next.cars = [None, Some((dice.roll(2), flag))][dice.roll(2)],
            _ if flag => next.male = !self.male,
            _ => next.plate = !self.plate,
        }
        next
    }

    fn text(&self) -> String {
        let rules = |rule: &str, gone| {
            format!("filter = {{ rules = [ {rule} ], delete_filtered_out = {gone} }}\n")
        };
        let mut text = String::from(
            "[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\nkey = { from = \"contactid\", to = \"cusCrmId\", in_uri = true }\napply_deletes = true\ndelete_guard = { rows = 5000 }\n",
        );
        if let Some((rule, gone)) = self.filter {
            text.push_str(&rules(RULES[rule], gone));
        }
        text.push_str("fields = [ { from = \"lastname\", to = \"lastName\" }");
        for (target, field) in TARGETS.iter().zip(self.fields) {
            let Some((column, kept)) = field else { continue };
            let column = COLUMNS[column];
            let null = if kept { "keep" } else { "clear" };
            let replace = match column {
                "gendercode" if self.male => ", replace = [{ value = \"Male\", with = \"M\" }]",
                _ => "",
            };
            let _ = write!(
                text,
                ", {{ from = \"{column}\", to = \"{target}\", on_null = \"{null}\"{replace} }}"
            );
        }
        text.push_str(" ]\n\n[[ingress.table]]\ndynamics = \"new_vehicle\"\ncampaign = \"cusVehicle\"\nkey = { from = \"new_vehicleid\", to = \"cusVehicleId\", filter = \"byVehicleId\", parameter = \"vehicleId_parameter\" }\napply_deletes = true\ndelete_guard = { rows = 5000 }\n");
        if let Some((rule, gone)) = self.cars {
            text.push_str(&rules(CARS[rule], gone));
        }
        if let Some(letter) = self.link {
            let choice = if letter { "send-without" } else { "wait" };
            let _ = writeln!(
                text,
                "links = [ {{ from = \"new_contactid\", to = \"vehicleOwner\", table = \"contact\", missing_parent = \"{choice}\" }} ]"
            );
        }
        let plate = if self.plate { ", { from = \"new_plate\", to = \"cusPlate\" }" } else { "" };
        let _ = writeln!(text, "fields = [ {{ from = \"new_name\", to = \"cusName\" }}{plate} ]");
        text
    }
}

fn one<T: Copy>(dice: &mut Dice, of: &[T]) -> T {
    of[dice.roll(of.len())]
}

/// Something in every column that a mapping may need.
fn person(dice: &mut Dice) -> Value {
    json!({
        "lastname": format!("Nr. {}", dice.roll(1000)),
        "jobtitle": one(dice, &TITLES),
        "firstname": one(dice, &["Ann", "Eve"]),
        "middlename": one(dice, &[None, Some("M.")]),
        "gendercode": one(dice, &[None, Some(1), Some(2)]),
        "new_points": dice.roll(40),
        "statecode": dice.roll(2),
    })
}

fn car(dice: &mut Dice) -> Value {
    json!({
        "new_name": format!("Car {}", dice.roll(1000)),
        "new_plate": one(dice, &[None, Some("HH 1")]),
        "statecode": dice.roll(2),
    })
}

/// Some people and cars change, come and go.
fn live(world: &World, dice: &mut Dice) {
    let dynamics = world.sandbox.dynamics();
    let (people, cars) = (dynamics.ids("contact"), dynamics.ids("new_vehicle"));
    for _ in 0..3 {
        if let Some(id) = dice.one_of(&people) {
            world.change(id, &person(dice));
        }
        if let Some(id) = dice.one_of(&cars) {
            change_vehicle(world, id, &car(dice));
        }
    }
    if let Some(id) = dice.one_of(&cars) {
        let owner = dice.one_of(&people);
        change_vehicle(world, id, &bound(owner));
    }
    world.add(&person(dice));
    add_vehicle(world, dice.one_of(&people), "New");
    if let Some(id) = dice.one_of(&cars) {
        dynamics.delete("new_vehicle", id);
    }
}

/// What Campaign holds, without what it keeps for itself.
fn held(world: &World) -> Vec<Map<String, Value>> {
    let campaign = world.sandbox.campaign();
    let mut rows = campaign.rows("profile");
    rows.extend(campaign.rows("cusVehicle"));
    for row in &mut rows {
        row.retain(|name, _| !name.to_lowercase().contains("modified"));
    }
    rows
}

fn pass(world: &World, when: &str) -> Counts {
    let run = world.sync();
    assert!(run.code == 0 || run.code == 1, "{when}: {}", run.stderr);
    let counts = run.counts();
    assert_eq!(counts.dead_lettered, 0, "{when}: {}", run.stderr);
    counts
}

#[test]
fn any_sequence_of_changed_configurations_ends_as_a_new_store_would() {
    for seed in 1..=SEQUENCES {
        let mut dice = Dice(seed);
        let mut config = Config::default();
        let setup = Setup { contacts: 0, page_rows: 5, tables: config.text(), ..Setup::default() };
        let world = World::new(setup);
        let people: Vec<_> = (0..12).map(|_| world.add(&person(&mut dice))).collect();
        for _ in 0..8 {
            add_vehicle(&world, dice.one_of(&people), "Car");
        }
        pass(&world, &format!("seed {seed}"));
        let mut told = String::new();
        for _ in 0..CHANGES {
            config = config.changed(&mut dice);
            let _ = writeln!(told, "{config:?}");
            world.configure(&config.text());
            pass(&world, &format!("seed {seed}:\n{told}"));
            live(&world, &mut dice);
        }
        // By the link that the changes have left.
        pass(&world, &format!("seed {seed}, the last:\n{told}"));
        let before = held(&world);
        world.lose_store();
        pass(&world, &format!("seed {seed}, a new store:\n{told}"));
        for (before, now) in before.iter().zip(held(&world)) {
            assert_eq!(*before, now, "seed {seed}:\n{told}");
        }
        assert_eq!(before.len(), held(&world).len(), "seed {seed}:\n{told}");
    }
}
