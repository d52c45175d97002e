//! `natbed run`.

use natbed_lab::report::{RunReport, ScenarioReport};
use natbed_lab::run::{self, Options, Run};
use natbed_lab::scenario::Scenario;

use serde_json::json;

use super::document;
use super::recording::Targets;
use crate::agents::{Pair, registry};
use crate::args;
use crate::exit::{Failure, Status, error_line};
use crate::files::{File, load_all};
use crate::render::run::{Detail, Summary, about, count, heading, results, unmet};
use crate::render::tables::tables;
use crate::screen::{Screen, width};

pub(super) fn run(args: &args::Run, screen: &mut Screen) -> Result<Status, Failure> {
    let recording = &args.recording;
    if args.files.len() > 1 && (recording.trace.is_some() || recording.pcap.is_some()) {
        return Err(Failure::usage("--trace and --pcap take one scenario at a time", None));
    }
    check_times(&args.tables)?;
    let mut files = load_all(&args.files)?;
    if let Some(agents) = &args.agents.agents {
        for File { name, scenario } in &mut files {
            agents.place(name, scenario)?;
        }
    }
    let mut targets = Some(Targets::open(recording, args.json, screen)?);
    let mut summary = Summary::default();
    let mut reports = Vec::new();
    let mut status = Status::Met;
    for File { name, scenario } in &files {
        let run = simulate(name, scenario, args, targets.as_ref().is_some_and(Targets::need_log))?;
        if let Some(targets) = targets.take() {
            targets.write(&run)?;
        }
        summary.add(&run);
        if args.json {
            reports.push(ScenarioReport::new(name, scenario, &run, args.tables.tables));
        } else {
            screen.print(&text(name, scenario, &run, args))?;
        }
        if !run.met() {
            status = Status::NotMet;
            screen.report(&failure(name, scenario, &run, args));
        }
    }
    if args.json {
        screen.print(&document(&json!(RunReport::new(reports))))?;
    } else if !args.quiet {
        screen.print(&summary.line())?;
    }
    Ok(status)
}

/// Refuses to compare a table with a later one.
pub(super) fn check_times(tables: &args::Tables) -> Result<(), Failure> {
    match (tables.since, tables.at) {
        (Some(since), Some(at)) if since >= at => Err(Failure::usage("--since has to be before --at", None)),
        _ => Ok(()),
    }
}

fn simulate(name: &str, scenario: &Scenario, args: &args::Run, log: bool) -> Result<Run, Failure> {
    let options =
        Options { seed: args.seed.seed, log, tables_at: args.tables.at, tables_since: args.tables.since };
    run::run_with(scenario, &options, &registry())
        .map_err(|why| Failure::usage(format_args!("{name}: {why}"), None))
}

fn text(name: &str, scenario: &Scenario, run: &Run, args: &args::Run) -> String {
    let width = width();
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::Failures,
        (_, true) => Detail::Full,
        _ => Detail::Normal,
    };
    if detail == Detail::Failures && run.met() && !args.tables.tables {
        return String::new();
    }
    let mut out = heading(name, scenario);
    if detail == Detail::Full {
        out += &about(scenario, width);
    }
    out += &results(scenario, run, detail, width);
    if args.tables.tables {
        out += &tables(scenario, run, width);
    }
    out + "\n"
}

/// How many expectations were not met, the command that shows it again, and where to find out why.
fn failure(name: &str, scenario: &Scenario, run: &Run, args: &args::Run) -> String {
    let name = shell_word(name);
    let seed = args.seed.seed.map_or_else(String::new, |seed| format!(" --seed {seed}"));
    let flags = seed + &args.agents.agents.as_ref().map_or_else(String::new, Pair::flag);
    let mut out = error_line(format_args!("{name}: {} not met", count(unmet(run), "expectation")));
    out += &format!("reproduce: natbed run {name}{flags}\n");
    let connections = scenario.connects.iter().zip(&run.connections);
    let which = match connections.filter(|(_, result)| !result.met).collect::<Vec<_>>()[..] {
        [(connect, _)] if scenario.connects.len() > 1 => {
            let [from, to] = [connect.from, connect.to].map(|host| shell_word(&scenario[host].name));
            format!(" --from {from} --to {to}")
        }
        _ => String::new(),
    };
    out + &format!("hint: natbed explain {name}{flags}{which}\n")
}

/// `text` as one word of a shell command.
pub(super) fn shell_word(text: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
