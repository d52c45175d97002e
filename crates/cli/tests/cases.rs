//! What the command prints and how it ends, case by case: `tests/cases/*.md`.

#[test]
fn commands_print_what_the_cases_say() {
    trycmd::TestCases::new().env("COLUMNS", "80").env("NO_COLOR", "1").case("tests/cases/*.md");
}
