//! `natbed schema`.

use natbed_lab::scenario::{self, population};

use super::document;
use crate::args::Kind;
use crate::exit::{Failure, Status};
use crate::screen::Screen;

pub(super) fn run(of: Kind, screen: &Screen) -> Result<Status, Failure> {
    let schema = match of {
        Kind::Scenario => scenario::schema(),
        Kind::Population => population::schema(),
    };
    screen.print(&document(&schema))?;
    Ok(Status::Met)
}
