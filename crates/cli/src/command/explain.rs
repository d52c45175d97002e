//! `natbed explain`.

use std::path::Path;

use natbed_lab::diagnose::{did_you_mean, quoted};
use natbed_lab::explain::{Explanation, explain};
use natbed_lab::matrix::pair_scenario;
use natbed_lab::report::ScenarioReport;
use natbed_lab::run::{self, Options, Run};
use natbed_lab::scenario::{self, Scenario};
use natbed_lab::what_if::WhatIf;
use serde_json::json;

use super::recording::Targets;
use super::{document, types, what_if};
use crate::agents::registry;
use crate::args;
use crate::exit::{Failure, Status};
use crate::files::{File, load_all};
use crate::render::explanation::{self, Depth};
use crate::render::run::{about, heading};
use crate::render::tables::tables;
use crate::render::what_if::text as what_if_text;
use crate::screen::{Screen, width};

pub(super) fn run(args: &args::Explain, screen: &mut Screen) -> Result<Status, Failure> {
    super::run::check_times(&args.tables)?;
    let mut file = source(args)?;
    if let Some(agents) = &args.agents.agents {
        agents.place(&file.name, &mut file.scenario)?;
    }
    let scenario = &file.scenario;
    for host in [&args.from, &args.to].into_iter().flatten() {
        check_host(scenario, host)?;
    }
    if let Some(number) = args.apply {
        let proof = what_if::apply(&file, args, number)?;
        screen.print(&scenario::show(&proof))?;
        return Ok(Status::Met);
    }
    let targets = Targets::open(&args.recording, args.json, screen)?;
    let options = Options {
        seed: args.seed.seed,
        log: true,
        tables_at: args.tables.at,
        tables_since: args.tables.since,
    };
    let run = run::run_with(scenario, &options, &registry())
        .map_err(|why| Failure::usage(format_args!("{}: {why}", file.name), None))?;
    targets.write(&run)?;
    let explanations = explain(scenario, &run, args.from.as_deref(), args.to.as_deref());
    if explanations.is_empty() {
        return Err(nothing(args));
    }
    let searched = if args.what_if { what_if::search(&file, args)? } else { Vec::new() };
    let print = if args.json { json } else { text };
    screen.print(&print(&file, &run, &explanations, &searched, args))?;
    Ok(Status::Met)
}

/// The file, or the scenario of a pair of types.
fn source(args: &args::Explain) -> Result<File, Failure> {
    if let Some(pair) = &args.pair {
        let [a, b] = types::parse_pair(pair)?;
        let text = pair_scenario(&a, &b, &[], args.seed.seed.unwrap_or(1));
        let scenario = scenario::parse(text.as_bytes())
            .map_err(|problems| Failure::usage(format_args!("{pair}: {:?}", problems.diagnostics()), None))?;
        return Ok(File { name: format!("--pair {pair}"), scenario });
    }
    let path = args.file.as_deref().unwrap_or(Path::new("-"));
    load_all(&[path.to_owned()])?.pop().ok_or_else(|| Failure::usage("no file is given", None))
}

fn check_host(scenario: &Scenario, name: &str) -> Result<(), Failure> {
    let names = || scenario.hosts.iter().map(|host| host.name.as_str());
    if names().any(|host| host == name) {
        return Ok(());
    }
    let help = did_you_mean(name, names()).map_or_else(
        || format!("the hosts are {}", names().collect::<Vec<_>>().join(", ")),
        |similar| format!("did you mean `{similar}`?"),
    );
    Err(Failure::usage(format_args!("the scenario has no host called {}", quoted(name)), Some(help)))
}

/// Nothing to explain: the hosts have no connection between them, or there is none at all.
fn nothing(args: &args::Explain) -> Failure {
    let end =
        |word: &str, host: &Option<String>| host.as_ref().map(|host| format!(" {word} {}", quoted(host)));
    let ends = [end("from", &args.from), end("to", &args.to)].into_iter().flatten().collect::<String>();
    Failure::usage(format_args!("the scenario has no connection{ends}"), None)
}

fn json(
    file: &File,
    run: &Run,
    explanations: &[Explanation],
    searched: &[WhatIf],
    args: &args::Explain,
) -> String {
    let report = ScenarioReport::new(&file.name, &file.scenario, run, args.tables.tables);
    let mut report = serde_json::to_value(report).unwrap_or_default();
    report["explanations"] = json!(explanations);
    if args.what_if {
        report["what_if"] = json!(what_if::reports(&file.scenario, searched));
    }
    let mut out = json!({ "schema": "natbed.explain/1" });
    if let (Some(out), Some(report)) = (out.as_object_mut(), report.as_object_mut()) {
        out.append(report);
    }
    document(&out)
}

fn text(
    file: &File,
    run: &Run,
    explanations: &[Explanation],
    searched: &[WhatIf],
    args: &args::Explain,
) -> String {
    let width = width();
    let mut parts = Vec::new();
    if !args.quiet {
        let about = if args.verbose { about(&file.scenario, width) } else { String::new() };
        parts.push(heading(&file.name, &file.scenario) + &about);
    }
    let depth = match (args.quiet, args.verbose) {
        (true, _) => Depth::Brief,
        (_, false) => Depth::Steps,
        (_, true) => Depth::Quotes,
    };
    // Plain datagrams come first; connections are the last ones.
    let sends = explanations.len() - if args.what_if { searched.len() } else { explanations.len() };
    let mut first = 1;
    for (at, explained) in explanations.iter().enumerate() {
        let mut part = explanation::text(explained, depth, width);
        if let Some(found) = at.checked_sub(sends).and_then(|at| searched.get(at)) {
            part += &what_if_text(&file.scenario, found, first, args.quiet, width);
            first += what_if::numbered(found).count();
        }
        parts.push(part);
    }
    if first > 1 {
        parts.push(what_if::hint(file, args));
    } else if args.what_if && searched.is_empty() {
        parts.push("What-if is about connections, and there is none here.\n".to_owned());
    }
    let mut out = parts.join("\n");
    if args.tables.tables {
        out += &tables(&file.scenario, run, width);
    }
    out
}
