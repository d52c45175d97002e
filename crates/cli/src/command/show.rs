//! `natbed show`.

use natbed_lab::scenario;

use crate::args;
use crate::exit::{Failure, Status};
use crate::files::load_all;
use crate::screen::Screen;

pub(super) fn run(args: &args::Show, screen: &Screen) -> Result<Status, Failure> {
    for file in load_all(std::slice::from_ref(&args.file))? {
        screen.print(&scenario::show(&file.scenario))?;
    }
    Ok(Status::Met)
}
