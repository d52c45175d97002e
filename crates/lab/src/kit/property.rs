//! A property of an agent over all networks, and the case that breaks it.

use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestError, TestRunner};

use super::case::Case;
use super::file;
use crate::outcome::Outcome;
use crate::peer::{Guest, NATIVE, Registry, Setup};
use crate::run::{Options, Run, run_with};
use crate::scenario::{Scenario, parse};

/// How often a failing case may be run to find a smaller one, where proptest's configuration gives no number.
const SHRINK_RUNS: u32 = 8192;

/// A property that is to hold on every network, of natbed's own agent or of one of yours.
///
/// ```no_run
/// use std::time::Duration;
///
/// use natbed_lab::kit::{Property, networks};
///
/// Property::new("connects, or falls back to the relay, within five seconds", file!())
///     .cases(500)
///     .check(&networks().own_nats(1..=1).shared_nats(0..=0), |trial| trial.connected_within(Duration::from_secs(5)));
/// ```
#[derive(Debug)]
pub struct Property {
    name: String,
    config: Config,
    folder: Option<PathBuf>,
    registry: Registry,
    agents: [String; 2],
    log: bool,
}

/// A run on a generated network, to be judged.
pub struct Trial {
    /// The network as it ran.
    pub scenario: Scenario,
    /// What came of it, with one connection for each of the scenario.
    pub run: Run,
    log: bool,
    native: OnceCell<Run>,
}

/// The smallest case that was found to break a property.
#[derive(Debug)]
pub struct Counterexample {
    /// The case.
    pub case: Case,
    /// In what way the property does not hold.
    pub why: String,
    /// The scenario file of the case, or why there is none.
    pub file: Result<PathBuf, String>,
    /// The event log of its run beside it, where an agent ran that `natbed run` does not have.
    pub log: Option<PathBuf>,
    /// The property.
    property: String,
    /// What ran at either end, the initiator first.
    agents: [String; 2],
}

impl Property {
    /// The property that `name` states in words, of natbed's own agent, tested in `source`, which is `file!()`: failures
    /// are persisted beside it, as [`proptest!`](proptest::proptest) does.
    pub fn new(name: &str, source: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            config: Config::with_source_file(source),
            folder: None,
            registry: Registry::new(),
            agents: [NATIVE, NATIVE].map(ToOwned::to_owned),
            log: false,
        }
    }

    /// Runs on so many networks; by default 256, or what `PROPTEST_CASES` says.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.config.cases = cases;
        self
    }

    /// Takes all of proptest's settings from `config`, the source file too.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Writes failing cases into `folder`; by default that is `natbed` in cargo's target folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Runs an agent of yours, called `name`, at both ends of each connection.
    #[must_use]
    pub fn agent(
        mut self,
        name: &str,
        make: impl Fn(Setup) -> Box<dyn Guest> + Send + Sync + 'static,
    ) -> Self {
        self.registry.add(name, make);
        self.between(name, name)
    }

    /// Runs these at the two ends of each connection, the initiator's first: agents of yours, or `native`.
    #[must_use]
    pub fn between(mut self, initiator: &str, other: &str) -> Self {
        self.agents = [initiator, other].map(ToOwned::to_owned);
        self
    }

    /// Keeps the event log of every run, for properties that read it.
    #[must_use]
    pub const fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Runs the agents on networks of `cases` and fails the test where `judge` finds the property broken, with the
    /// smallest such network.
    ///
    /// # Panics
    /// Where the property does not hold, and where a strategy gives up or an agent is missing.
    #[track_caller]
    pub fn check(&self, cases: &impl Strategy<Value = Case>, judge: impl Fn(&Trial) -> TestCaseResult) {
        match self.find(cases, judge) {
            Ok(None) => {}
            Ok(Some(counterexample)) => panic!("{counterexample}"),
            Err(why) => panic!("`{}` could not be tested: {why}", self.name),
        }
    }

    /// The smallest case of `cases` where `judge` finds the property broken, which is written down; `None` if there is
    /// none among those that were tried.
    ///
    /// # Errors
    /// Where an agent is missing, a strategy gives up, or too many cases are rejected.
    pub fn find(
        &self,
        cases: &impl Strategy<Value = Case>,
        judge: impl Fn(&Trial) -> TestCaseResult,
    ) -> Result<Option<Counterexample>, String> {
        for agent in &self.agents {
            self.registry.check(agent).map_err(|why| why.to_string())?;
        }
        let mut config = self.config.clone();
        if config.max_shrink_iters == u32::MAX {
            config.max_shrink_iters = SHRINK_RUNS;
        }
        let test = |case: Case| judge(&self.trial(&case, self.log)?);
        match TestRunner::new(config).run(cases, test) {
            Ok(()) => Ok(None),
            Err(TestError::Fail(why, case)) => Ok(Some(self.write_down(case, why.message()))),
            Err(TestError::Abort(why)) => Err(why.message().to_owned()),
        }
    }

    /// Judges the network of a scenario file: a failing case that is kept, for instance. Its connections run between the
    /// agents of this property, whatever the file says.
    ///
    /// # Errors
    /// Where `judge` finds the property broken, and where the file is no scenario.
    pub fn replay(&self, text: &str, judge: impl Fn(&Trial) -> TestCaseResult) -> TestCaseResult {
        let scenario = parse(text.as_bytes())
            .map_err(|problems| TestCaseError::fail(problems.render("the file", &crate::diagnose::plain)))?;
        judge(&self.trial_of(scenario, self.log)?)
    }

    fn trial(&self, case: &Case, log: bool) -> Result<Trial, TestCaseError> {
        let scenario = case.scenario().map_err(|problems| {
            TestCaseError::fail(format!("no scenario: {}", problems.render("case", &crate::diagnose::plain)))
        })?;
        self.trial_of(scenario, log)
    }

    fn trial_of(&self, mut scenario: Scenario, log: bool) -> Result<Trial, TestCaseError> {
        scenario.set_agents(&self.agents[0], &self.agents[1]);
        let run = run(&scenario, log, &self.registry)?;
        Ok(Trial { scenario, run, log, native: OnceCell::new() })
    }

    fn is_native(&self) -> bool {
        self.agents.iter().all(|agent| agent == NATIVE)
    }

    fn write_down(&self, mut case: Case, why: &str) -> Counterexample {
        if case.title.is_empty() {
            case.title = format!("Breaks: {}", self.name);
        }
        let folder = self.folder.clone().unwrap_or_else(file::default_folder);
        let text = format!("{}{}", self.heading(why), case.text());
        let file = file::write_new(&folder, &self.name, "toml", text.as_bytes())
            .map_err(|why| format!("{}: {why}", folder.display()));
        let log =
            file.as_ref().ok().filter(|_| !self.is_native()).and_then(|path| self.write_log(&case, path));
        Counterexample {
            case,
            why: why.to_owned(),
            file,
            log,
            property: self.name.clone(),
            agents: self.agents.clone(),
        }
    }

    /// The event log of `case` beside its scenario file; none where the agent panics or the log cannot be written.
    fn write_log(&self, case: &Case, path: &Path) -> Option<PathBuf> {
        let trial = || self.trial(case, true).ok();
        let trial = std::panic::catch_unwind(std::panic::AssertUnwindSafe(trial)).ok()??;
        let mut log = Vec::new();
        crate::log::write_jsonl(&trial.run, &mut log).ok()?;
        let stem = path.file_stem()?.to_str()?;
        file::write_new(path.parent()?, stem, "jsonl", &log).ok()
    }

    /// What a failing case says of itself above its tables.
    fn heading(&self, why: &str) -> String {
        let mut lines = vec![format!("The smallest case found that breaks the property '{}':", self.name)];
        lines.extend(why.lines().map(|line| format!("  {line}")));
        if !self.is_native() {
            let [initiator, other] = &self.agents;
            lines.push(if initiator == other {
                format!(
                    "It ran with the agent `{initiator}` at both ends, which natbed's command does not have:"
                )
            } else {
                format!(
                    "It ran with the agent `{initiator}` at the initiator and `{other}` at the other end:"
                )
            });
            lines.push(
                "`natbed run` and `natbed explain` show what natbed's own agent does here. To run the same"
                    .to_owned(),
            );
            lines.push("agent on this file, give its text to `Property::replay` of the test.".to_owned());
        }
        lines.iter().map(|line| format!("# {line}\n")).collect()
    }
}

fn run(scenario: &Scenario, log: bool, registry: &Registry) -> Result<Run, TestCaseError> {
    let options = Options { log, ..Options::default() };
    run_with(scenario, &options, registry).map_err(|why| TestCaseError::fail(why.to_string()))
}

impl Trial {
    /// Whether every connection came about, direct or relayed, within `limit` of its start.
    ///
    /// # Errors
    /// Where one did not.
    pub fn connected_within(&self, limit: Duration) -> TestCaseResult {
        for (connect, connection) in self.scenario.connects.iter().zip(&self.run.connections) {
            let [from, to] = [connect.from, connect.to].map(|host| self.scenario[host].name.as_str());
            match connection.setup {
                None => return Err(TestCaseError::fail(format!("{from} to {to}: no connection"))),
                Some(setup) if setup > limit => {
                    let outcome = connection.outcome;
                    return Err(TestCaseError::fail(format!("{from} to {to}: {outcome} after {setup:?}")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether every connection came out at least as well as between two of natbed's own agents: direct where theirs is
    /// direct, and relayed where theirs is relayed, or direct.
    ///
    /// # Errors
    /// Where one did not.
    pub fn as_good_as_native(&self) -> TestCaseResult {
        let native = &self.native()?.connections;
        for ((connect, own), native) in self.scenario.connects.iter().zip(&self.run.connections).zip(native) {
            if own.outcome > native.outcome {
                let [from, to] = [connect.from, connect.to].map(|host| self.scenario[host].name.as_str());
                let (own, native) = (own.outcome, native.outcome);
                return Err(TestCaseError::fail(format!(
                    "{from} to {to}: {own}, where natbed's agent has {native}"
                )));
            }
        }
        Ok(())
    }

    /// What came of the first connection.
    pub fn outcome(&self) -> Outcome {
        self.run.connections.first().map_or(Outcome::Fail, |connection| connection.outcome)
    }

    /// The run of the same network between two of natbed's own agents.
    ///
    /// # Errors
    /// Where the network cannot be built.
    pub fn native(&self) -> Result<&Run, TestCaseError> {
        if self.native.get().is_none() {
            let mut scenario = self.scenario.clone();
            scenario.set_agents(NATIVE, NATIVE);
            let run = run(&scenario, self.log, &Registry::new())?;
            return Ok(self.native.get_or_init(|| run));
        }
        self.native.get().ok_or_else(|| TestCaseError::fail("no run"))
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let native = self.agents.iter().all(|agent| agent == NATIVE);
        writeln!(f, "'{}' does not hold: {}", self.property, self.why)?;
        writeln!(f, "\n{}", self.case.text())?;
        match &self.file {
            Err(why) => return write!(f, "The case could not be written down: {why}"),
            Ok(path) if native => write!(f, "See why: natbed explain {}", path.display())?,
            Ok(path) => write!(f, "What natbed's own agent does there: natbed explain {}", path.display())?,
        }
        if let Some(log) = &self.log {
            write!(f, "\nWhat yours did: {}", log.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Counterexample {}
