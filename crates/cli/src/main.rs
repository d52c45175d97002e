//! The `natbed` command.

mod agents;
mod args;
mod command;
mod exit;
mod files;
mod progress;
mod render;
mod screen;
mod target;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::screen::Screen;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut screen = Screen::new(args.color.into());
    let status = command::dispatch(&args.command, &mut screen).unwrap_or_else(|failure| {
        screen.report(&failure.report);
        failure.status
    });
    status.into()
}
