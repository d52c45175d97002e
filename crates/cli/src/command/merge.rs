//! `natbed merge`.

use std::path::Path;

use natbed_lab::sweep::{MergeError, Part, SweepReport, merge};

use super::sweep::{open, text, wanted, write};
use crate::args::{self, Format};
use crate::exit::{Failure, Status, error_line};
use crate::files::read;
use crate::render::sweep::ranges;
use crate::screen::Screen;

pub(super) fn run(args: &args::Merge, screen: &Screen) -> Result<Status, Failure> {
    let mut parts = load(args)?;
    for part in &mut parts {
        part.traffic = args.traffic.over(part.traffic);
    }
    let whole = merge(&parts).map_err(|why| failure(&why, args))?;
    let target = open(&args.output)?;
    let format = wanted(&args.output).unwrap_or(Format::Table);
    write(&text(&SweepReport::new(&whole), format, &args.output), target, screen)?;
    Ok(Status::Met)
}

/// Reads all parts; any that cannot be read, or is none, fails them all.
fn load(args: &args::Merge) -> Result<Vec<Part>, Failure> {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    for path in &args.files {
        match load_one(path) {
            Ok(part) => parts.push(part),
            Err(fault) => faults.push(fault),
        }
    }
    let Some(status) = faults.iter().map(|fault: &Failure| fault.status).max() else { return Ok(parts) };
    Err(Failure { status, report: faults.into_iter().map(|fault| fault.report).collect() })
}

fn load_one(path: &Path) -> Result<Part, Failure> {
    let bytes = read(path).map_err(|why| Failure::file("read", path, &why))?;
    Part::parse(&bytes).map_err(|why| Failure {
        status: Status::Invalid,
        report: error_line(format_args!("{}: {why}", path.display())),
    })
}

/// The same with the names of files.
fn failure(why: &MergeError, args: &args::Merge) -> Failure {
    let name = |part: usize| args.files[part].display();
    match why {
        MergeError::Nothing => Failure::usage(why, None),
        MergeError::Different { part, what, found, expected } => {
            let (part, first) = (name(*part), name(0));
            let message =
                format!("{part} is of another run than {first}: its {what} is {found}, not {expected}");
            let help = match *what {
                "number of calls" => "--calls N computes the load anew, for all of them",
                "bitrate" => "--bitrate RATE computes the load anew, for all of them",
                _ => "merge the shards of one sweep: the same population file, --pairs, --seed and natbed",
            };
            Failure::usage(message, Some(help.to_owned()))
        }
        MergeError::Overlap(a, b, common) => {
            let pairs = ranges(std::slice::from_ref(common));
            let message = format!("{} and {} both have {pairs}", name(*a), name(*b));
            Failure::usage(message, Some("give each shard once".to_owned()))
        }
        MergeError::Missing(missing) => {
            let message = format!("{} are in no part", ranges(missing));
            let help = "every shard of the sweep has to be there".to_owned();
            Failure::usage(message, Some(help))
        }
    }
}
