//! Explanations: chapters of numbered steps with their evidence.

use natbed_lab::explain::Explanation;
use natbed_packet::Timestamp;

use super::style::{BOLD, paint};
use super::wrap::wrap;

/// How much of an explanation to show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What came out and why.
    Brief,
    /// The steps too.
    Steps,
    /// And the text of offers and answers.
    Quotes,
}

/// `explanation`, so much of it.
pub(crate) fn text(explanation: &Explanation, depth: Depth, width: usize) -> String {
    let mut out = format!("{}\n", paint(BOLD, &explanation.title));
    if depth != Depth::Brief {
        out += &paragraphs(&explanation.setting, width);
        out += &chapters(explanation, depth, width);
        out += &format!("\n{}\n", paint(BOLD, "Why"));
    }
    out + &paragraphs(&explanation.why, width)
}

fn paragraphs(paragraphs: &[String], width: usize) -> String {
    paragraphs.iter().map(|text| wrap("  ", text, width)).collect()
}

fn chapters(explanation: &Explanation, depth: Depth, width: usize) -> String {
    let steps = || explanation.chapters.iter().flat_map(|chapter| &chapter.steps);
    let time = |time_ns| Timestamp::from_nanos(time_ns).to_string();
    let columns = steps().map(|step| time(step.time_ns).len()).max().unwrap_or(0);
    let digits = steps().count().to_string().len();
    let mut out = String::new();
    let mut number = 0;
    for chapter in &explanation.chapters {
        out += &format!("\n{}\n", paint(BOLD, chapter.title));
        for step in &chapter.steps {
            number += 1;
            let head = format!("  {number:>digits$}. {:>columns$}  ", time(step.time_ns));
            let indent = " ".repeat(head.len());
            out += &wrap(&head, &step.text, width);
            for line in &step.evidence {
                out += &wrap(&format!("{indent}- "), line, width);
            }
            for line in step.quoted.iter().filter(|_| depth == Depth::Quotes) {
                out += &format!("{indent}  {line}\n");
            }
        }
    }
    out
}
