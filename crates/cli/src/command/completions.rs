//! `natbed completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::args::Args;
use crate::exit::{Failure, Status};
use crate::screen::Screen;

pub(super) fn run(shell: Shell, screen: &Screen) -> Result<Status, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), "natbed", &mut script);
    screen.print(&String::from_utf8_lossy(&script))?;
    Ok(Status::Met)
}
