//! `natbed schema`.

use natbed_lab::scenario;

use super::document;
use crate::exit::{Failure, Status};
use crate::screen::Screen;

pub(super) fn run(screen: &Screen) -> Result<Status, Failure> {
    screen.print(&document(&scenario::schema()))?;
    Ok(Status::Met)
}
