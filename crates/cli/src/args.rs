//! The command line.

use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use natbed_lab::quantity::{parse_duration, parse_rate};
use natbed_lab::sweep::{self as lab, MOST_PAIRS, Shard};
use natbed_packet::Timestamp;

use crate::agents::Pair;

/// Which NATs connect directly, which need a relay, and why.
///
/// natbed runs ICE agents, STUN and TURN servers on a simulated network with real NAT tables, in virtual time: the
/// same scenario and seed give the same result, every time.
#[derive(Parser)]
#[command(name = "natbed", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// When to use colour; symbols and words say the same.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 all expectations met, 1 one was not, 2 bad usage or a bad scenario, \
                           3 a file could not be read or written, \
                           130 interrupted.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and check what they expect.
    Run(Run),
    /// Run every NAT type against every other.
    Matrix(Matrix),
    /// Ask NAT types what they are, by RFC 5780 and RFC 3489 discovery.
    Classify(Classify),
    /// Say why each connection came out as it did.
    Explain(Explain),
    /// Run many random pairs of a population: which share needs a relay.
    Sweep(Sweep),
    /// Join the parts of a sweep that ran in shards.
    Merge(Merge),
    /// Check scenarios and populations without running them.
    Check(Check),
    /// Print a scenario with every default and preset spelled out.
    Show(Show),
    /// Print a scenario or population to start from; lists them without a name.
    New {
        /// Which one.
        template: Option<String>,
    },
    /// List the scenarios and populations that come with natbed, or print one.
    Examples {
        /// Which one.
        name: Option<String>,
    },
    /// Print the JSON Schema of scenario or population files, for editors.
    Schema {
        /// Of which files.
        #[arg(value_enum, default_value_t)]
        of: Kind,
    },
    /// Print a shell's completion script.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(clap::Args)]
pub(crate) struct Run {
    /// Scenario files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) seed: Seed,
    #[command(flatten)]
    pub(crate) agents: Agents,
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) recording: Recording,
    /// Print one JSON document (schema natbed.run/1).
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only what failed.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print what each scenario is about, and the addresses of each path.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(clap::Args)]
pub(crate) struct Matrix {
    /// `classic`, `rfc4787`, `all`, or NAT types: presets and grid codes such as EIM/APDF, separated by commas.
    #[arg(long, default_value = "classic")]
    pub(crate) types: String,
    /// Override an axis of every type, such as filter-scope=endpoint; may be repeated.
    #[arg(long, value_name = "AXIS=VALUE", value_parser = parse_axis)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) seed: Seed,
    #[command(flatten)]
    pub(crate) agents: Agents,
    /// Print one JSON document (schema natbed.matrix/1).
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the table alone.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print what each type does.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(clap::Args)]
pub(crate) struct Classify {
    /// `classic`, `rfc4787`, `all`, or NAT types: presets and grid codes such as EIM/APDF, separated by commas.
    #[arg(long, default_value = "classic")]
    pub(crate) types: String,
    /// Override an axis of every type, such as hairpinning=external-source; may be repeated.
    #[arg(long, value_name = "AXIS=VALUE", value_parser = parse_axis)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) seed: Seed,
    /// Print one JSON document (schema natbed.classify/1).
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the table alone.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(clap::Args)]
pub(crate) struct Explain {
    /// A scenario file; `-` is standard input.
    #[arg(required_unless_present = "pair", conflicts_with = "pair", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Two NAT types, the initiator's first, instead of a file.
    #[arg(long, value_name = "A,B")]
    pub(crate) pair: Option<String>,
    /// Only connections that this host initiates, and what it sends.
    #[arg(long, value_name = "HOST")]
    pub(crate) from: Option<String>,
    /// Only connections to this host.
    #[arg(long, value_name = "HOST")]
    pub(crate) to: Option<String>,
    /// Search the smallest change that would make each connection direct.
    #[arg(long)]
    pub(crate) what_if: bool,
    /// Print the scenario with change N of --what-if made instead: a file that runs to what is claimed.
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "tables", "trace", "pcap"])]
    pub(crate) apply: Option<usize>,
    #[command(flatten)]
    pub(crate) seed: Seed,
    #[command(flatten)]
    pub(crate) agents: Agents,
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) recording: Recording,
    /// Print one JSON document (schema natbed.explain/1).
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only what came out, and why.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print what the scenario is about, and the text of offers and answers, too.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(clap::Args)]
pub(crate) struct Sweep {
    /// A population file; `-` is standard input.
    #[arg(value_name = "POPULATION")]
    pub(crate) file: PathBuf,
    /// How many pairs.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MOST_PAIRS))]
    pub(crate) pairs: u64,
    /// Seed of all randomness, 0 to 2^63 - 1; 1 if absent.
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    pub(crate) seed: u64,
    /// Threads to run on; one for each processor if absent. They change nothing but the time it takes.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Run one of N equal parts, for `natbed merge` to join, such as 3/16.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Run nothing; print the pair of this number, counted from 0, as a scenario.
    #[arg(long, value_name = "I", conflicts_with_all = ["shard", "out", "format", "json", "calls", "bitrate", "jobs"])]
    pub(crate) show: Option<u64>,
    /// Say which single change to the population would save most relaying.
    #[arg(long, conflicts_with_all = ["shard", "show"])]
    pub(crate) what_if: bool,
    #[command(flatten)]
    pub(crate) traffic: Traffic,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(clap::Args)]
pub(crate) struct Merge {
    /// The parts, in any order.
    #[arg(required = true, value_name = "PART")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) traffic: Traffic,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The calls that the load of the relays is computed for.
#[derive(clap::Args)]
pub(crate) struct Traffic {
    /// Calls that stand at the same time, for the load of the relays; 1000 if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=lab::Traffic::MOST_CALLS))]
    pub(crate) calls: Option<u64>,
    /// What each side of a call sends, such as "1.5 Mbit/s"; 1 Mbit/s if absent.
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub(crate) bitrate: Option<u64>,
}

impl Traffic {
    /// `traffic` with what is given here.
    pub(crate) fn over(&self, traffic: lab::Traffic) -> lab::Traffic {
        lab::Traffic {
            calls: self.calls.unwrap_or(traffic.calls),
            bitrate: self.bitrate.unwrap_or(traffic.bitrate),
        }
    }
}

/// Where the result of a sweep goes, and how it looks.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Write the result to a file that is not there yet; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Let --out replace a file.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// How it looks; by the ending of --out if absent, else a table.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Print one JSON document (schema natbed.sweep/1): --format json.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Print the shares alone.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print where the figures come from, and an example of each outcome.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Kind {
    /// One network, its programs and its expectations.
    #[default]
    Scenario,
    /// Groups of users.
    Population,
}

#[derive(clap::Args)]
pub(crate) struct Check {
    /// Scenario and population files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print one JSON document (schema natbed.check/1).
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only what is wrong.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    /// A scenario file; `-` is standard input.
    pub(crate) file: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Seed {
    /// Seed of all randomness, 0 to 2^63 - 1, instead of the scenario's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..1 << 63))]
    pub(crate) seed: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct Agents {
    /// Put the agent A at the initiator of every connection and B at the other side, such as native,is.
    #[arg(long, value_name = "A,B", value_parser = Pair::parse)]
    pub(crate) agents: Option<Pair>,
}

#[derive(clap::Args)]
pub(crate) struct Tables {
    /// Print every NAT's table.
    #[arg(long)]
    pub(crate) tables: bool,
    /// When to take the tables, such as 5s; at the end if absent.
    #[arg(long, value_name = "TIME", requires = "tables", value_parser = parse_time)]
    pub(crate) at: Option<Timestamp>,
    /// Mark what has changed in the tables since then.
    #[arg(long, value_name = "TIME", requires = "tables", value_parser = parse_time)]
    pub(crate) since: Option<Timestamp>,
}

#[derive(clap::Args)]
pub(crate) struct Recording {
    /// Write the event log as JSON Lines; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write what every node sent and received as pcapng, for Wireshark; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    parse_duration(text).map(|time| Timestamp::ZERO + time).map_err(|why| why.to_string())
}

fn parse_bitrate(text: &str) -> Result<u64, String> {
    let rate = parse_rate(text).map_err(|why| format!("{why}; write it as 1.5Mbit/s"))?;
    if rate == 0 { Err("a call sends something".to_owned()) } else { Ok(rate) }
}

fn parse_axis(text: &str) -> Result<(String, String), String> {
    let (axis, value) = text.split_once('=').ok_or("write it as AXIS=VALUE")?;
    let (axis, value) = (axis.trim(), value.trim());
    if axis.is_empty() || !axis.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err("an axis is a word such as filter-scope".to_owned());
    }
    Ok((axis.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
