//! `natbed matrix`.

use natbed_lab::diagnose::Part;
use natbed_lab::matrix::{Matrix, MatrixError};
use natbed_lab::report::MatrixReport;

use serde_json::json;

use super::{document, types};
use crate::args;
use crate::exit::{Failure, Status};
use crate::render::matrix::{legend, table, title, types as type_list};
use crate::render::style::paint_part;
use crate::screen::{Screen, width};

/// The seed where none is given.
const SEED: u64 = 1;

pub(super) fn run(args: &args::Matrix, screen: &Screen) -> Result<Status, Failure> {
    let types = types::parse_set(&args.types)?;
    let matrix = Matrix::run(&types, &args.set, args.seed.seed.unwrap_or(SEED)).map_err(failure)?;
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
    format!("{}\n{table}\n{}{types}", title(matrix, &args.set), legend(width))
}

/// The problems of an override without their place, which is in a file that the user never wrote.
fn failure(error: MatrixError) -> Failure {
    let problems = match error {
        MatrixError::Topology(why) => return Failure::usage(why, None),
        MatrixError::Scenario(problems) => problems,
    };
    let mut reports: Vec<String> = Vec::new();
    for problem in problems.diagnostics() {
        let mut report = format!("{}: --set: ", paint_part(Part::Error, &format!("error[{}]", problem.code)));
        report += if problem.label.is_empty() { &problem.message } else { &problem.label };
        report.push('\n');
        if let Some(help) = &problem.help {
            report += &format!("  {} {help}\n", paint_part(Part::Help, "= help:"));
        }
        if !reports.contains(&report) {
            reports.push(report);
        }
    }
    Failure { status: Status::Invalid, report: reports.concat() }
}
