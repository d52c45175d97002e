use super::*;

fn render(source: &str, diagnostic: Diagnostic) -> String {
    Problems::new(source, vec![diagnostic]).render("x.toml", &plain)
}

#[test]
fn a_report_has_the_form_of_the_contract() {
    let source = format!("{}behind = \"nat-aa\"\n", "\n".repeat(13));
    let message = "host `alice` is behind `nat-aa`, which does not exist";
    let problem = Diagnostic::new("unknown-node", 22..30, message)
        .label("no nat has this name")
        .help("did you mean `nat-a`?".to_owned());
    let expected = "error[unknown-node]: host `alice` is behind `nat-aa`, which does not exist
  --> x.toml:14:10
   |
14 | behind = \"nat-aa\"
   |          ^^^^^^^^ no nat has this name
   = help: did you mean `nat-a`?
";
    assert_eq!(render(&source, problem), expected);
}

#[test]
fn carets_stand_under_wide_characters_and_tabs() {
    let source = "\tname = \"中文\" # x";
    let at = source.find('"').expect("a quote");
    let report = render(source, Diagnostic::new("code", at..at + 8, "message"));
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[1], " --> x.toml:1:9");
    assert_eq!(lines[3], "1 |     name = \"中文\" # x");
    assert_eq!(lines[4], "  |            ^^^^^^");
}

#[test]
fn long_lines_are_clipped_around_the_caret() {
    let source = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
    let report = render(&source, Diagnostic::new("code", 500..504, "message"));
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[3], format!("1 | …{}HERE{}…", "a".repeat(39), "b".repeat(55)));
    assert_eq!(lines[4], format!("  | {}^^^^", " ".repeat(40)));
}

#[test]
fn what_could_move_the_cursor_is_not_printed() {
    assert_eq!(quoted("a\u{1b}[2J\u{202e}b"), "`a\\u{1b}[2J\\u{202e}b`");
    let report = render("x = \"\u{1b}[2J\u{7}\"", Diagnostic::new("code", 4..11, "message"));
    assert!(!report.contains(['\u{1b}', '\u{7}']), "{report}");
}

#[test]
fn spans_may_be_anything() {
    for source in ["", "\n", "a", "中", "a\r\nb\r\n", "\u{301}"] {
        for start in 0..8 {
            for length in 0..8 {
                let report = render(source, Diagnostic::new("code", start..start + length, "message"));
                assert!(report.starts_with("error[code]: message\n"), "{report}");
            }
        }
    }
}

#[test]
fn colour_goes_around_the_parts() {
    let paint = |part: Part, text: &str| format!("<{part:?}>{text}</>");
    let problem = Diagnostic::new("code", 0..1, "message").label("label").help("help".to_owned());
    let report = Problems::new("x", vec![problem]).render("f", &paint);
    assert_eq!(
        report,
        "<Error>error[code]</><Message>: message</>\n <Gutter>--></> f:1:1\n<Gutter>  |</>\n<Gutter>1 |</> x\n\
         <Gutter>  |</> <Caret>^ label</>\n  <Help>= help:</> help\n"
    );
}

/// What a program says that hands the error on, or unwraps it.
#[test]
fn as_an_error_problems_read_as_on_the_command_line() {
    let problems = crate::scenario::parse(b"format = 1\n[nat.a]\ntipe = 1\n").expect_err("no such key");
    assert_eq!(format!("{problems}\n"), problems.render("scenario", &plain));
    assert!(problems.to_string().contains("--> scenario:3:1\n"), "{problems}");
    assert_eq!(format!("{problems:?}"), format!("\n{problems}"));
    let error: Box<dyn Error> = problems.into();
    assert!(error.to_string().starts_with("error[unknown-key]: "), "{error}");
}

#[test]
fn problems_are_sorted_by_place_and_located() {
    let problems = vec![Diagnostic::new("second", 4..5, "b"), Diagnostic::new("first", 0..1, "a")];
    let located = Problems::new("x\n\nyz", problems).located("f");
    let places: Vec<_> = located.iter().map(|at| (at.code, at.line, at.column)).collect();
    assert_eq!(places, [("first", 1, 1), ("second", 3, 2)]);
}

#[test]
fn near_words_are_suggested_and_far_ones_are_not() {
    let words = ["symmetric", "one-to-one", "port-restricted", "a"];
    assert_eq!(did_you_mean("simetric", words), Some("symmetric"));
    assert_eq!(did_you_mean("Symmetric", words), Some("symmetric"));
    assert_eq!(did_you_mean("ysmmetric", words), Some("symmetric"));
    assert_eq!(did_you_mean("port-restrictd", words), Some("port-restricted"));
    assert_eq!(did_you_mean("banana", words), None);
    assert_eq!(did_you_mean("b", words), None);
    assert_eq!(did_you_mean(&"x".repeat(100_000), words), None);
}
