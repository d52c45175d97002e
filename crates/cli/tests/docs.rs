//! What README.md and docs/ show is what happens: every command of a `console` block is run, and its output compared.
//!
//! `…` stands for any text in a line, or on a line of its own for any lines. `NATBED_BLESS=1` writes the output into
//! the pages instead; around `…` it finds the lines of the page again if only their numbers have changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ANY: &str = "…";

#[test]
fn the_commands_of_every_page_print_what_the_page_says() {
    let bless = blessing();
    let mut failures = String::new();
    let mut commands = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut shell = Shell::new();
        shell.write_files(&text);
        let new = rewrite(&text, |step| {
            commands += 1;
            let actual = shell.run(&step.command);
            let blessed = if bless { blessed(&step.output, &actual) } else { None };
            if let Some(lines) = align(&step.output, &actual, &is_line).or(blessed) {
                return lines;
            }
            let (command, said, printed) = (&step.command, step.output.join("\n"), actual.join("\n"));
            let page = page.display();
            let _ = writeln!(
                failures,
                "{page}: $ {command}\n--- the page says\n{said}\n--- it prints\n{printed}\n"
            );
            step.output
        });
        if bless && new != text {
            fs::write(&page, new).unwrap();
        }
    }
    assert!(commands >= 20, "only {commands} commands found");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_reference_names_every_command_and_flag() {
    let page = fs::read_to_string(root().join("docs/reference/commands.md")).unwrap();
    let help = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_natbed")).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help(&["--help"]);
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| line.starts_with("  "));
    let mut count = 0;
    for name in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        count += 1;
        let section = page.split("\n## ").find(|section| section.starts_with(&format!("natbed {name}\n")));
        let section = section.unwrap_or_else(|| panic!("the reference has no section on `natbed {name}`"));
        for flag in long_flags(&help(&[name, "--help"])) {
            let known =
                [section, page.split("\n## ").next().unwrap()].iter().any(|text| text.contains(&flag));
            assert!(known, "the reference does not say what `natbed {name} {flag}` does");
        }
    }
    assert!(count >= 6, "`natbed --help` lists {count} commands");
}

/// `--seed` and its like where a line of `help` begins with one.
fn long_flags(help: &str) -> Vec<String> {
    let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = options.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--")));
    words.map(|word| word.trim_end_matches("...").to_owned()).collect()
}

struct Step {
    command: String,
    output: Vec<String>,
}

/// `text` with the output of each step replaced by what `replace` makes of it.
fn rewrite(text: &str, mut replace: impl FnMut(Step) -> Vec<String>) -> String {
    let mut lines = Vec::new();
    let mut step: Option<Step> = None;
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") || (inside && line.starts_with("$ ")) {
            lines.extend(step.take().map(&mut replace).into_iter().flatten());
        }
        if line.starts_with("```") {
            inside = line == "```console";
            lines.push(line.to_owned());
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            step = Some(Step { command: command.to_owned(), output: Vec::new() });
            lines.push(line.to_owned());
        } else if let Some(step) = &mut step {
            step.output.push(line.to_owned());
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// A folder that has the scenarios, and what the commands of a page leave in it.
struct Shell {
    folder: tempfile::TempDir,
    status: i32,
}

impl Shell {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["scenarios", "scenarios/populations"] {
            let copy = folder.path().join(name);
            fs::create_dir(&copy).unwrap();
            for file in list(&root().join(name), "toml") {
                fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
            }
        }
        Self { folder, status: 0 }
    }

    /// Writes each block of `page` that has a file name behind its language: ```` ```toml mine.toml ````.
    fn write_files(&self, page: &str) {
        for block in page.split("\n```toml ").skip(1) {
            let (name, rest) = block.split_once('\n').unwrap();
            let content = rest.split("```").next().unwrap();
            fs::write(self.folder.path().join(name), content).unwrap();
        }
    }

    /// What `command` prints, stdout first.
    fn run(&mut self, command: &str) -> Vec<String> {
        let (command, target) = match command.split_once(" > ") {
            Some((command, target)) => (command, Some(target)),
            None => (command, None),
        };
        let command = command.replacen("cargo run --release --", "natbed", 1);
        let words: Vec<&str> = command.split_whitespace().collect();
        let mut printed = match words[..] {
            ["echo", "$?"] => format!("{}\n", self.status),
            ["cat", file] => fs::read_to_string(self.folder.path().join(file)).unwrap(),
            ["sed", script, file] => {
                let [_, from, to, ""] = script.split('/').collect::<Vec<_>>()[..] else {
                    panic!("`{command}`")
                };
                let text = fs::read_to_string(self.folder.path().join(file)).unwrap();
                text.lines().map(|line| line.replacen(from, to, 1) + "\n").collect()
            }
            ["cmp", a, b] => {
                let [a, b] = [a, b].map(|file| fs::read(self.folder.path().join(file)).unwrap());
                assert!(a == b, "the files of `{command}` differ");
                String::new()
            }
            ["natbed", ref arguments @ ..] => self.natbed(arguments),
            _ => panic!("a test cannot run `{command}`"),
        };
        if let Some(target) = target {
            fs::write(self.folder.path().join(target), std::mem::take(&mut printed)).unwrap();
        }
        if printed.ends_with('\n') {
            printed.pop();
        }
        printed.split('\n').filter(|_| !printed.is_empty()).map(|line| line.trim_end().to_owned()).collect()
    }

    fn natbed(&mut self, arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().flat_map(|argument| self.expand(argument)).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_natbed"));
        let output = command.args(arguments).current_dir(self.folder.path()).output().unwrap();
        self.status = output.status.code().unwrap_or(-1);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// `folder/*.ext` as a shell does it, in order; anything else as it is.
    fn expand(&self, argument: &str) -> Vec<String> {
        let Some((folder, extension)) = argument.split_once("/*.") else {
            return vec![argument.to_owned()];
        };
        let files = list(&self.folder.path().join(folder), extension);
        let names = files.iter().map(|file| file.file_name().unwrap().to_string_lossy());
        names.map(|name| format!("{folder}/{name}")).collect()
    }
}

/// The lines of `page` that stand for `actual`, each as it is there; `None` if they are not `same`.
fn align(page: &[String], actual: &[String], same: &dyn Fn(&str, &str) -> bool) -> Option<Vec<String>> {
    let Some((first, rest)) = page.split_first() else {
        return actual.is_empty().then(Vec::new);
    };
    let (line, mut lines) = if first.trim() == ANY {
        (first, (0..=actual.len()).find_map(|skipped| align(rest, &actual[skipped..], same))?)
    } else {
        let (line, left) = actual.split_first().filter(|(line, _)| same(first, line))?;
        (if first.contains(ANY) { first } else { line }, align(rest, left, same)?)
    };
    lines.insert(0, line.clone());
    Some(lines)
}

/// Whether `actual` is the line that `page` shows.
fn is_line(page: &str, actual: &str) -> bool {
    let mut parts = page.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| actual.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// What `page` should show of `actual`: all of it, or where something is left out the same lines with new numbers.
fn blessed(page: &[String], actual: &[String]) -> Option<Vec<String>> {
    if !page.iter().any(|line| line.contains(ANY)) {
        return Some(actual.to_vec());
    }
    let words =
        |line: &str| line.chars().filter(|c| !c.is_ascii_digit() && !c.is_whitespace()).collect::<String>();
    align(page, actual, &|page, actual| is_line(&words(page), &words(actual)))
}

/// README.md and every page of docs/.
fn pages() -> Vec<PathBuf> {
    let docs = root().join("docs");
    let folders =
        fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let folders = folders.filter(|folder| !folder.ends_with("book"));
    let mut pages: Vec<PathBuf> = folders.flat_map(|folder| list(&folder, "md")).collect();
    pages.extend(list(&docs, "md"));
    pages.sort();
    pages.insert(0, root().join("README.md"));
    pages
}

/// The files of `folder` with `extension`, in order.
fn list(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(clippy::disallowed_methods, reason = "a switch for the one who runs the tests")]
fn blessing() -> bool {
    std::env::var("NATBED_BLESS").is_ok_and(|value| value == "1")
}
