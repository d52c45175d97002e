//! The commands.

mod check;
mod classify;
mod completions;
mod examples;
mod explain;
mod matrix;
mod merge;
mod new;
mod recording;
mod run;
mod schema;
mod show;
mod sweep;
mod types;
mod what_if;

use crate::args::Command;
use crate::exit::{Failure, Status};
use crate::screen::Screen;

/// Does what the command line says.
pub(crate) fn dispatch(command: &Command, screen: &mut Screen) -> Result<Status, Failure> {
    match command {
        Command::Run(args) => run::run(args, screen),
        Command::Matrix(args) => matrix::run(args, screen),
        Command::Classify(args) => classify::run(args, screen),
        Command::Explain(args) => explain::run(args, screen),
        Command::Check(args) => check::run(args, screen),
        Command::Show(args) => show::run(args, screen),
        Command::New { template } => new::run(template.as_deref(), screen),
        Command::Examples { name } => examples::run(name.as_deref(), screen),
        Command::Schema { of } => schema::run(*of, screen),
        Command::Sweep(args) => sweep::run(args, screen),
        Command::Merge(args) => merge::run(args, screen),
        Command::Completions { shell } => completions::run(*shell, screen),
    }
}

/// A value as an indented JSON document.
fn document(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
