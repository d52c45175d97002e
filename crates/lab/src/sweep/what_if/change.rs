//! Changes to a population.

use natbed_nat::Behavior;
use natbed_nat::behavior::Kind;
use natbed_nat::presets;

use crate::scenario::population::{Group, NatType, Pair, Population};
use crate::scenario::show::{axes, header, quote};
use crate::what_if::axis::{Axis, alternatives};
use crate::what_if::words::{axis_value, axis_words};
use crate::what_if::{Knob, preset_name};

/// One thing of a population, set to another value.
#[derive(Clone, Debug, PartialEq)]
pub struct PopulationChange {
    /// The groups that it is made in, by their places.
    pub groups: Vec<usize>,
    /// What is changed in them.
    pub what: What,
    /// How far the value is from the one that it replaces: 1 is the next.
    pub steps: u8,
    /// What it means, in a sentence.
    pub text: String,
    /// The key of the file, and the values that it had and has.
    pub key: String,
    /// The value that it had.
    pub was: String,
    /// The value that it has.
    pub is: String,
    /// The lines of the file that say so.
    pub lines: String,
}

/// What a [`PopulationChange`] changes.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// What a NAT type does, for all users of the groups whose own NAT it is, or the NAT in front of theirs.
    Nat {
        /// The type's name.
        name: String,
        /// Whether it is in front of the users' own.
        outer: bool,
        /// What it does with the change.
        behavior: Box<Behavior>,
        /// What is changed about it.
        knob: Knob,
    },
    /// The groups have the TURN servers of the population.
    Turn,
}

impl PopulationChange {
    /// The population with the change.
    pub fn apply(&self, population: &Population) -> Population {
        let mut changed = population.clone();
        for group in &self.groups {
            let group = &mut changed.groups[*group];
            match &self.what {
                What::Nat { name, outer, behavior, .. } => {
                    for nat in nats_mut(group, *outer).filter(|nat| nat.name == *name) {
                        nat.behavior.clone_from(behavior);
                    }
                }
                What::Turn => group.turn = true,
            }
        }
        changed
    }

    /// Whether the change concerns a user of `pair`.
    pub fn concerns(&self, population: &Population, pair: Pair) -> bool {
        pair.users.iter().any(|user| {
            let of_type = &population.groups[user.group].types[user.of_type];
            self.groups.contains(&user.group)
                && match &self.what {
                    What::Nat { name, outer: false, .. } => of_type.nat.name == *name,
                    What::Nat { name, outer: true, .. } => {
                        of_type.behind.as_ref().is_some_and(|nat| nat.name == *name)
                    }
                    What::Turn => true,
                }
        })
    }

    /// What it is about.
    pub const fn knob(&self) -> Knob {
        match &self.what {
            What::Nat { knob, .. } => *knob,
            What::Turn => Knob::TurnServer,
        }
    }
}

/// A NAT type as the users of some groups have it.
#[derive(Clone, Debug, PartialEq)]
struct Subject {
    groups: Vec<usize>,
    outer: bool,
    nat: NatType,
    /// Whether two users may be behind one of it.
    shared: bool,
}

/// Every single change that is tried: each NAT type of each group, and of all groups where several have it.
pub(super) fn all(population: &Population) -> Vec<PopulationChange> {
    let mut all = Vec::new();
    for subject in subjects(population) {
        for (axis, steps) in alternatives(&subject.nat.behavior, subject.shared) {
            all.push(nat_change(population, &subject, axis, steps));
        }
        if matches!(subject.nat.behavior.kind, Kind::UdpBlocked | Kind::TcpOnly) {
            all.extend(box_change(population, &subject));
        }
    }
    if population.has_turn() {
        for (place, _) in population.groups.iter().enumerate().filter(|(_, group)| !group.turn) {
            all.push(turn_change(population, place));
        }
    }
    all
}

fn subjects(population: &Population) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for outer in [false, true] {
        for (place, group) in population.groups.iter().enumerate() {
            for nat in nats(group, outer) {
                let known = subjects.iter().any(|known| {
                    (known.outer, &known.groups[..], &known.nat.name) == (outer, &[place][..], &nat.name)
                });
                if !known {
                    let shared = group.same_network > 0.0 && outermost(group, &nat.name, outer);
                    subjects.push(Subject { groups: vec![place], outer, nat: nat.clone(), shared });
                }
            }
        }
    }
    let mut everywhere: Vec<Subject> = Vec::new();
    for subject in &subjects {
        let same =
            |known: &&mut Subject| (known.outer, &known.nat.name) == (subject.outer, &subject.nat.name);
        match everywhere.iter_mut().find(same) {
            Some(known) => {
                known.groups.extend(&subject.groups);
                known.shared |= subject.shared;
            }
            None => everywhere.push(subject.clone()),
        }
    }
    subjects.extend(everywhere.into_iter().filter(|subject| subject.groups.len() > 1));
    subjects
}

fn nats(group: &Group, outer: bool) -> impl Iterator<Item = &NatType> {
    group
        .types
        .iter()
        .filter_map(move |of_type| if outer { of_type.behind.as_ref() } else { Some(&of_type.nat) })
}

fn nats_mut(group: &mut Group, outer: bool) -> impl Iterator<Item = &mut NatType> {
    group.types.iter_mut().filter_map(
        move |of_type| {
            if outer { of_type.behind.as_mut() } else { Some(&mut of_type.nat) }
        },
    )
}

/// Whether nothing is in front of some NAT of this name.
fn outermost(group: &Group, name: &str, outer: bool) -> bool {
    outer || group.types.iter().any(|of_type| of_type.nat.name == name && of_type.behind.is_none())
}

fn nat_change(population: &Population, subject: &Subject, axis: Axis, steps: u8) -> PopulationChange {
    let mut behavior = subject.nat.behavior.clone();
    axis.set(&mut behavior);
    let (key, was, is) = axis_value(&subject.nat.behavior, axis);
    let text = format!("{} {}", described(population, subject), axis_words(axis));
    let (name, outer, knob) = (subject.nat.name.clone(), subject.outer, axis.knob());
    let lines = lines(population, subject, &behavior);
    let what = What::Nat { name, outer, behavior: Box::new(behavior), knob };
    PopulationChange { groups: subject.groups.clone(), what, steps, text, key, was, is, lines }
}

/// A firewall in the place of a box that lets no UDP through.
fn box_change(population: &Population, subject: &Subject) -> Option<PopulationChange> {
    let firewall = presets::lookup(Kind::Firewall.as_str())?;
    let text = format!("{} lets UDP out, and its answers in", described(population, subject));
    let (name, outer) = (subject.nat.name.clone(), subject.outer);
    let (was, is) = (name.clone(), firewall.name.to_owned());
    let lines = lines(population, subject, &firewall.behavior);
    let what = What::Nat { name, outer, behavior: Box::new(firewall.behavior), knob: Knob::Box };
    let key = "type".to_owned();
    Some(PopulationChange { groups: subject.groups.clone(), what, steps: 1, text, key, was, is, lines })
}

fn turn_change(population: &Population, place: usize) -> PopulationChange {
    let name = &population.groups[place].name;
    PopulationChange {
        groups: vec![place],
        what: What::Turn,
        steps: 1,
        text: format!("{name} has the TURN servers too"),
        key: "turn".to_owned(),
        was: "false".to_owned(),
        is: "true".to_owned(),
        lines: format!("{}\nturn = true\n", header("group", name)),
    }
}

/// `symmetric of mobile`, `EIM/EIF in front of mobile`.
fn described(population: &Population, subject: &Subject) -> String {
    let groups: Vec<&str> =
        subject.groups.iter().map(|group| population.groups[*group].name.as_str()).collect();
    let word = if subject.outer { "in front of" } else { "of" };
    format!("{} {word} {}", subject.nat.name, groups.join(" and "))
}

/// The type of its own, where no preset does the same, and what stands in its place in the groups' lists.
fn lines(population: &Population, subject: &Subject, behavior: &Behavior) -> String {
    let (mut out, name) = match preset_name(behavior) {
        Some(preset) => (String::new(), preset.to_owned()),
        None => {
            let name = format!("{}-whatif", subject.nat.name.replace('/', "-"));
            let mut out = format!("{}\nbase = {}\n", header("nat-type", &name), quote(&subject.nat.name));
            let was = axes(&subject.nat.behavior);
            for (key, value) in axes(behavior).into_iter().filter(|field| !was.contains(field)) {
                out += &format!("{key} = {value}\n");
            }
            out.push('\n');
            (out, name)
        }
    };
    let key = if subject.outer { "behind" } else { "type" };
    for group in &subject.groups {
        let table = header("group", &population.groups[*group].name);
        out += &format!("{table}\n# types: {key} = {} for {}\n", quote(&name), quote(&subject.nat.name));
    }
    out
}
