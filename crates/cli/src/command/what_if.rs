//! `natbed explain --what-if`.

use natbed_lab::scenario::Scenario;
use natbed_lab::what_if::{Remedy, WhatIf, WhatIfReport, what_if_with};

use super::run::shell_word;
use crate::agents::{Pair, registry};
use crate::args;
use crate::exit::Failure;
use crate::files::File;

/// What would help each connection that `args` asks about, in order.
pub(super) fn search(file: &File, args: &args::Explain) -> Result<Vec<WhatIf>, Failure> {
    let scenario = &file.scenario;
    let wanted = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let connects = scenario.connects.iter().enumerate().filter(|(_, connect)| {
        wanted(&args.from, &scenario[connect.from].name) && wanted(&args.to, &scenario[connect.to].name)
    });
    let registry = registry();
    let search = |(index, _)| {
        what_if_with(scenario, seed(file, args), index, &registry)
            .map_err(|why| Failure::usage(format_args!("{}: {why}", file.name), None))
    };
    connects.map(search).collect()
}

/// The scenario with change `number` made, which expects what comes out of it.
pub(super) fn apply(file: &File, args: &args::Explain, number: usize) -> Result<Scenario, Failure> {
    let searched = search(file, args)?;
    let mut all = searched.iter().flat_map(|found| numbered(found).map(move |remedy| (found, remedy)));
    let Some((found, remedy)) = number.checked_sub(1).and_then(|at| all.nth(at)) else {
        let help = match searched.iter().map(|found| numbered(found).count()).sum::<usize>() {
            0 => "--what-if found no change that helps".to_owned(),
            1 => "--what-if found one change that helps: 1".to_owned(),
            count => format!("--what-if found the changes 1 to {count}"),
        };
        return Err(Failure::usage(format_args!("there is no change {number} to apply"), Some(help)));
    };
    remedy
        .proof(&file.scenario, found.connection, seed(file, args), &registry())
        .map_err(|why| Failure::usage(format_args!("{}: {why}", file.name), None))
}

/// The changes that have a number, in order.
pub(super) fn numbered(found: &WhatIf) -> impl Iterator<Item = &Remedy> {
    found.remedies.iter().chain(&found.boxes)
}

/// The documents, numbered as the text is.
pub(super) fn reports(scenario: &Scenario, searched: &[WhatIf]) -> Vec<WhatIfReport> {
    let mut first = 1;
    let mut report = |found: &WhatIf| {
        let report = WhatIfReport::new(scenario, found, first);
        first += numbered(found).count();
        report
    };
    searched.iter().map(&mut report).collect()
}

/// How to run a change.
pub(super) fn hint(file: &File, args: &args::Explain) -> String {
    let mut command = "natbed explain".to_owned();
    match &args.pair {
        Some(pair) => command += &format!(" --pair {}", shell_word(pair)),
        None => command += &format!(" {}", shell_word(&file.name)),
    }
    for (flag, host) in [("--from", &args.from), ("--to", &args.to)] {
        command += &host.as_ref().map_or_else(String::new, |host| format!(" {flag} {}", shell_word(host)));
    }
    command += &args.seed.seed.map_or_else(String::new, |seed| format!(" --seed {seed}"));
    let agents = args.agents.agents.as_ref().map_or_else(String::new, Pair::flag);
    command += &agents;
    format!("To run change 1:\n  {command} --apply 1 > changed.toml\n  natbed run changed.toml{agents}\n")
}

fn seed(file: &File, args: &args::Explain) -> u64 {
    args.seed.seed.unwrap_or(file.scenario.seed)
}
