//! Explanations: chapters of numbered steps with their evidence.

use natbed_lab::explain::Explanation;
use natbed_packet::Timestamp;

use super::style::{BOLD, paint};
use super::wrap::wrap;

/// All of `explanation`, or only what came out and why.
pub(crate) fn text(explanation: &Explanation, brief: bool, width: usize) -> String {
    let mut out = format!("{}\n", paint(BOLD, &explanation.title));
    if !brief {
        out += &paragraphs(&explanation.setting, width);
        out += &chapters(explanation, width);
        out += &format!("\n{}\n", paint(BOLD, "Why"));
    }
    out + &paragraphs(&explanation.why, width)
}

fn paragraphs(paragraphs: &[String], width: usize) -> String {
    paragraphs.iter().map(|text| wrap("  ", text, width)).collect()
}

fn chapters(explanation: &Explanation, width: usize) -> String {
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
        }
    }
    out
}
