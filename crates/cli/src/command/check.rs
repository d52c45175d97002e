//! `natbed check`.

use serde_json::{Value, json};

use super::document;
use crate::args;
use crate::exit::{Failure, Status};
use crate::files::{Fault, check};
use crate::render::style::{GOOD, paint};
use crate::screen::Screen;

pub(super) fn run(args: &args::Check, screen: &Screen) -> Result<Status, Failure> {
    let mut status = Status::Met;
    let mut documents = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let fault = check(path).err();
        status = status.max(fault.as_ref().map_or(Status::Met, Fault::status));
        if args.json {
            documents.push(json!({ "file": name, "valid": fault.is_none(), "problems": problems(&name, fault.as_ref()) }));
        }
        match &fault {
            Some(Fault::Invalid(_)) if args.json => {}
            Some(fault) => screen.report(&(fault.report(&name) + "\n")),
            None if args.json || args.quiet => {}
            None => screen.print(&format!("{} {name}\n", paint(GOOD, "✓ valid")))?,
        }
    }
    if args.json {
        screen.print(&document(&json!({ "schema": "natbed.check/1", "files": documents })))?;
    }
    Ok(status)
}

fn problems(name: &str, fault: Option<&Fault>) -> Value {
    match fault {
        Some(Fault::Invalid(problems)) => json!(problems.located(name)),
        _ => json!([]),
    }
}
