//! Binding lifetime (RFC 5780 section 4.6).

use std::time::Duration;

use natbed_packet::Endpoint;

use super::exchange::{Answer, Ask, Step, Success, Wanted};
use super::{Config, Lifetime};
use crate::stun::{Attribute, Schedule};

/// "Implementations are encouraged to run the test numerous times": a binding is believed gone when so many responses in
/// a row did not come.
const TRIES: u32 = 3;
/// The first wait in seconds that is tried.
const FIRST: u32 = 16;
/// A wait of T seconds is cut by this, so that a lifetime of whole seconds lies half way between two waits.
const MARGIN: Duration = Duration::from_millis(500);

/// Socket X opens a binding and falls silent; later socket Y has the server send to it. The wait between is doubled while
/// the binding lives, then halved in on.
#[derive(Clone, Debug)]
pub(super) struct LifetimeTest {
    config: Config,
    x: Endpoint,
    y: Endpoint,
    search: Search,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Open,
    Probe,
}

/// A search among whole seconds.
#[derive(Clone, Debug)]
struct Search {
    limit: u32,
    wait: u32,
    /// The longest wait that the binding is known to survive.
    alive: Option<u32>,
    /// The shortest that it is known not to.
    gone: Option<u32>,
    /// How often it has been found gone after this wait.
    misses: u32,
}

impl LifetimeTest {
    pub(super) fn new(config: &Config, [x, y]: [Endpoint; 2]) -> (Self, Ask) {
        let limit = u32::try_from(config.lifetime_limit.as_secs()).unwrap_or(u32::MAX);
        let search = Search { limit, wait: 0, alive: None, gone: None, misses: 0 };
        let test = Self { config: *config, x, y, search, stage: Stage::Open };
        let first = test.open();
        (test, first)
    }

    pub(super) fn next(&mut self, answer: Answer) -> Step<Option<Lifetime>> {
        let survived = match (self.stage, answer) {
            (Stage::Open, Answer::Success(success)) => {
                self.stage = Stage::Probe;
                return Step::Ask(self.probe(&success));
            }
            (Stage::Probe, Answer::Success(success)) => success.local == self.x,
            (Stage::Probe, Answer::Silence) => false,
            _ => return Step::Done(None),
        };
        if self.search.note(survived) {
            return Step::Done(self.search.result());
        }
        self.stage = Stage::Open;
        Step::Ask(self.open())
    }

    const fn open(&self) -> Ask {
        Ask::binding(self.x, self.config.server, self.config.schedule)
    }

    /// Asks for a response to X's binding, as long after X last sent as the search wants.
    fn probe(&self, opened: &Success) -> Ask {
        let wait = Duration::from_secs(self.search.wait.into()).saturating_sub(MARGIN);
        Ask {
            attribute: Some(Attribute::ResponsePort(opened.mapped.port)),
            wanted: Wanted::ResponseFrom(self.config.server),
            at: opened.sent + wait,
            ..Ask::binding(self.y, self.config.server, hasty(self.config.schedule))
        }
    }
}

impl Search {
    /// Takes in whether the binding survived the wait and sets the next one; `true` if there is none.
    fn note(&mut self, survived: bool) -> bool {
        if survived {
            self.alive = Some(self.wait);
        } else {
            self.misses += 1;
            if self.misses < TRIES {
                return false;
            }
            self.gone = Some(self.wait);
        }
        self.misses = 0;
        let next = match (self.alive, self.gone) {
            (None, _) => None,
            (Some(alive), None) => {
                (alive < self.limit).then(|| alive.saturating_mul(2).max(FIRST).min(self.limit))
            }
            (Some(alive), Some(gone)) => (gone > alive + 1).then(|| u32::midpoint(alive, gone)),
        };
        self.wait = next.unwrap_or(self.wait);
        next.is_none()
    }

    /// `None` if not even a binding just opened could be reached.
    fn result(&self) -> Option<Lifetime> {
        let alive = Duration::from_secs(self.alive?.into());
        Some(if self.gone.is_some() { Lifetime::Expires(alive) } else { Lifetime::Outlasts(alive) })
    }
}

/// A schedule for requests that are made over again, or that nobody answers: given up after the fourth.
pub(super) const fn hasty(schedule: Schedule) -> Schedule {
    Schedule { rc: if schedule.rc < 4 { schedule.rc } else { 4 }, ..schedule }
}
