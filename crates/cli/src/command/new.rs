//! `natbed new`.

use natbed_lab::diagnose::{did_you_mean, quoted};
use natbed_lab::scenario::templates::{TEMPLATES, find};

use crate::exit::{Failure, Status};
use crate::render::columns::{Cell, lines};
use crate::render::style::BOLD;
use crate::screen::Screen;

pub(super) fn run(name: Option<&str>, screen: &Screen) -> Result<Status, Failure> {
    let text = match name {
        None => list(),
        Some(name) => find(name).ok_or_else(|| unknown(name))?.text.to_owned(),
    };
    screen.print(&text)?;
    Ok(Status::Met)
}

fn list() -> String {
    let row = |template: &natbed_lab::scenario::templates::Template| {
        vec![Cell::new(template.name, BOLD), Cell::plain(template.summary)]
    };
    let rows: Vec<Vec<Cell>> = TEMPLATES.iter().map(row).collect();
    lines(&rows, 2).join("\n") + "\n\nStart with: natbed new basic > mine.toml\n"
}

fn unknown(name: &str) -> Failure {
    let names = || TEMPLATES.iter().map(|template| template.name);
    let help = did_you_mean(name, names()).map_or_else(
        || format!("the templates are {}", names().collect::<Vec<_>>().join(", ")),
        |similar| format!("did you mean `{similar}`?"),
    );
    Failure::usage(format_args!("no template is called {}", quoted(name)), Some(help))
}
