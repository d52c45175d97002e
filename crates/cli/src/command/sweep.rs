//! `natbed sweep`.

use std::num::NonZeroUsize;
use std::path::Path;

use anstream::adapter::strip_str;
use natbed_lab::scenario::population::{Population, pair_seed};
use natbed_lab::scenario::show;
use natbed_lab::sweep::{Part, Sweep, SweepError, SweepReport, Traffic};

use serde_json::json;

use super::document;
use super::run::shell_word;
use crate::args::{self, Format};
use crate::exit::{Failure, Status, error_line, help_line};
use crate::files::load_population;
use crate::progress::Progress;
use crate::render::sweep::{grouped, table};
use crate::screen::{Screen, width};
use crate::target::Target;

pub(super) fn run(args: &args::Sweep, screen: &Screen) -> Result<Status, Failure> {
    let format = match (args.shard, wanted(&args.output)) {
        (Some(_), Some(Format::Table | Format::Csv)) => {
            let help = "`natbed merge` makes tables and CSV of the parts".to_owned();
            return Err(Failure::usage("a shard is written as JSON, so that it can be merged", Some(help)));
        }
        (Some(_), _) => Format::Json,
        (None, Some(Format::Csv)) if args.what_if => {
            let help = "take a table, or --json".to_owned();
            return Err(Failure::usage("--what-if is not written as CSV", Some(help)));
        }
        (None, format) => format.unwrap_or(Format::Table),
    };
    let population = load_population(&args.file)?;
    if let Some(index) = args.show {
        return show_pair(&population, args, index, screen);
    }
    let pairs = args.shard.map_or(0..args.pairs, |shard| shard.pairs(args.pairs));
    let sweep = Sweep { population: &population, seed: args.seed, pairs };
    let progress = Progress::new(sweep.pairs.end - sweep.pairs.start, "pairs");
    let target = open(&args.output)?;
    let report = simulate(&sweep, progress, args)?;
    write(&text(&report, format, &args.output), target, screen)?;
    Ok(Status::Met)
}

/// The format that was asked for, in words or by a file's ending.
pub(super) fn wanted(output: &args::Output) -> Option<Format> {
    let ending = || match output.out.as_deref().and_then(Path::extension)?.to_str()? {
        "json" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        _ => None,
    };
    output.json.then_some(Format::Json).or(output.format).or_else(ending)
}

/// The file that the result is for, if it is for one.
pub(super) fn open(output: &args::Output) -> Result<Option<Target>, Failure> {
    let open = |path| if output.force { Target::open(path) } else { Target::create(path) };
    output.out.as_deref().map(open).transpose()
}

pub(super) fn text(report: &SweepReport, format: Format, output: &args::Output) -> String {
    match format {
        Format::Table => table(report, output, width()),
        Format::Csv => report.csv(),
        Format::Json => document(&json!(report)),
    }
}

/// Writes a result; one that its file does not take goes to stdout, so that it is not lost.
pub(super) fn write(text: &str, target: Option<Target>, screen: &Screen) -> Result<(), Failure> {
    let Some(target) = target else { return screen.print(text) };
    let plain = strip_str(text).to_string();
    target.write(|out| out.write_all(plain.as_bytes())).map_err(|mut failure| {
        if screen.print(text).is_ok() {
            failure.report += "hint: the result is on standard output, so that it is not lost\n";
        }
        failure
    })
}

fn simulate(sweep: &Sweep<'_>, progress: Progress, args: &args::Sweep) -> Result<SweepReport, Failure> {
    let jobs = args.jobs.and_then(|jobs| NonZeroUsize::new(jobs.into()));
    let part = |tally| Part::new(sweep, args.pairs, args.traffic.over(Traffic::default()), tally);
    let report = if args.what_if {
        let swept = sweep.what_if(jobs, &|| progress.step());
        swept.map(|swept| SweepReport::with_what_if(&part(swept.tally.clone()), &swept))
    } else {
        let tally = sweep.run(jobs, &|| progress.step());
        let report = if args.shard.is_some() { SweepReport::part } else { SweepReport::new };
        tally.map(|tally| report(&part(tally)))
    };
    let done = progress.finish();
    report.map_err(|why| match why {
        SweepError::Stopped => interrupted(args, done, sweep.pairs.end - sweep.pairs.start),
        why => Failure::usage(why, None),
    })
}

/// What was done, and a way to do it in pieces.
fn interrupted(args: &args::Sweep, done: u64, steps: u64) -> Failure {
    let message = format!(
        "interrupted: {} of {} pairs were done, and nothing was written",
        grouped(done),
        grouped(steps)
    );
    let command = format!(
        "natbed sweep {} --pairs {} --seed {}",
        shell_word(&args.file.display().to_string()),
        args.pairs,
        args.seed
    );
    let help = match args.shard {
        _ if args.what_if => help_line(format_args!("run it again, with fewer pairs: {command} --what-if")),
        Some(shard) => help_line(format_args!("run this shard again: {command} --shard {shard} …")),
        None => {
            help_line("to go on in pieces that are kept, run shards, and join them in the end:")
                + &format!(
                    "    {command} --shard 1/16 --out part-1.json\n    …\n    natbed merge part-*.json\n"
                )
        }
    };
    Failure { status: Status::Interrupted, report: error_line(message) + &help }
}

/// Prints pair `index` as a scenario that runs to the result which that pair has in the sweep.
fn show_pair(
    population: &Population,
    args: &args::Sweep,
    index: u64,
    screen: &Screen,
) -> Result<Status, Failure> {
    if index >= args.pairs {
        let message = format!("there is no pair {index}: pairs are counted from 0 to {}", args.pairs - 1);
        return Err(Failure::usage(message, Some("give more with --pairs".to_owned())));
    }
    let seed = pair_seed(args.seed, index);
    let mut scenario = population.scenario(population.draw(seed), seed);
    scenario.about = format!("Pair {index} of a sweep of '{}' with the seed {}.", population.name, args.seed);
    screen.print(&show(&scenario))?;
    Ok(Status::Met)
}
