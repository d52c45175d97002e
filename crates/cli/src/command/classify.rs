//! `natbed classify`.

use natbed_lab::classify::{Classification, ClassifyReport};

use serde_json::json;

use super::matrix::{SEED, failure};
use super::{document, types};
use crate::args;
use crate::exit::{Failure, Status};
use crate::render::classify::{legend, table, title};
use crate::screen::{Screen, width};

pub(super) fn run(args: &args::Classify, screen: &Screen) -> Result<Status, Failure> {
    let types = types::parse_set(&args.types)?;
    let seed = args.seed.seed.unwrap_or(SEED);
    let classification = Classification::run(&types, &args.set, seed).map_err(failure)?;
    let text = match args {
        args if args.json => document(&json!(ClassifyReport::new(&classification))),
        args if args.quiet => table(&classification),
        args => {
            let title = title(&classification, &args.set);
            format!("{title}\n{}\n{}", table(&classification), legend(&classification, width()))
        }
    };
    screen.print(&text)?;
    Ok(Status::Met)
}
