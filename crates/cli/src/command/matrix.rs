//! `natbed matrix`.

use natbed_lab::diagnose::{Diagnostic, Part};
use natbed_lab::matrix::{Matrix, MatrixError};
use natbed_lab::peer::NATIVE;
use natbed_lab::report::MatrixReport;

use serde_json::json;

use super::{document, types};
use crate::agents::{Pair, registry};
use crate::args;
use crate::exit::{Failure, Status};
use crate::render::matrix::{legend, table, title, types as type_list};
use crate::render::style::paint_part;
use crate::screen::{Screen, width};

/// The seed where none is given.
pub(super) const SEED: u64 = 1;

pub(super) fn run(args: &args::Matrix, screen: &Screen) -> Result<Status, Failure> {
    let types = types::parse_set(&args.types)?;
    let agents = args.agents.agents.as_ref();
    let agents = agents.map_or([NATIVE; 2], |Pair(agents)| agents.each_ref().map(String::as_str));
    let seed = args.seed.seed.unwrap_or(SEED);
    let matrix = Matrix::run_with(&types, &args.set, seed, agents, &registry()).map_err(failure)?;
    let text = if args.json { document(&json!(MatrixReport::new(&matrix))) } else { text(&matrix, args) };
    screen.print(&text)?;
    Ok(Status::Met)
}

fn text(matrix: &Matrix, args: &args::Matrix) -> String {
    let width = width();
    let table = table(matrix, width);
    if args.quiet {
        return table;
    }
    let types = if args.verbose { format!("\n{}", type_list(matrix)) } else { String::new() };
    let heading = title(matrix, &args.set);
    format!("{heading}\n{table}\n{}{types}", legend(width))
}

/// The problems of an override without their place, which is in a file that the user never wrote.
pub(super) fn failure(error: MatrixError) -> Failure {
    let problems = match error {
        MatrixError::Network(why) => return Failure::usage(why, None),
        MatrixError::Scenario(problems) => problems,
    };
    let mut reports = Vec::new();
    let mut said = Vec::new();
    for Diagnostic { code, message, label, help, .. } in problems.diagnostics() {
        // Each type has the same override, and so the same problem.
        if said.contains(&(code, label, help)) {
            continue;
        }
        said.push((code, label, help));
        let mut report = paint_part(Part::Error, &format!("error[{code}]"));
        report += &format!(": --set: {message}{}{label}\n", if label.is_empty() { "" } else { ": " });
        if let Some(help) = help {
            report += &format!("  {} {help}\n", paint_part(Part::Help, "= help:"));
        }
        reports.push(report);
    }
    Failure { status: Status::Invalid, report: reports.concat() }
}
