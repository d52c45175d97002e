//! The tests of RFC 5780, one after the other.

use natbed_packet::Endpoint;

use super::exchange::{Answer, Ask, Step};
use super::filtering::FilteringTest;
use super::hairpin::HairpinTest;
use super::lifetime::LifetimeTest;
use super::mapping::{self, MappingTest};
use super::{Behavior, Config};

/// One for mapping, two for filtering, two for hairpinning, two for the lifetime.
pub(super) const SOCKETS: usize = 7;

/// The whole procedure.
#[derive(Clone, Debug)]
pub(super) struct BehaviorTests {
    config: Config,
    sockets: [Endpoint; SOCKETS],
    found: Behavior,
    test: Test,
}

/// The test under way.
#[derive(Clone, Debug)]
enum Test {
    Mapping(MappingTest),
    Filtering(FilteringTest),
    Hairpin(HairpinTest),
    Lifetime(LifetimeTest),
}

impl BehaviorTests {
    pub(super) fn new(config: &Config, sockets: [Endpoint; SOCKETS]) -> (Self, Ask) {
        let (test, first) = MappingTest::new(config, sockets[0]);
        let test = Test::Mapping(test);
        (Self { config: *config, sockets, found: Behavior::default(), test }, first)
    }

    pub(super) fn next(&mut self, answer: Answer) -> Step<Behavior> {
        match &mut self.test {
            Test::Mapping(test) => match test.next(answer) {
                Step::Ask(ask) => Step::Ask(ask),
                Step::Done(found) => self.after_mapping(found),
            },
            Test::Filtering(test) => match test.next(answer) {
                Step::Ask(ask) => Step::Ask(ask),
                Step::Done(found) => {
                    self.found.filtering = found;
                    self.after_filtering()
                }
            },
            Test::Hairpin(test) => match test.next(answer) {
                Step::Ask(ask) => Step::Ask(ask),
                Step::Done(found) => {
                    self.found.hairpinning = found;
                    self.after_hairpin()
                }
            },
            Test::Lifetime(test) => match test.next(answer) {
                Step::Ask(ask) => Step::Ask(ask),
                Step::Done(found) => Step::Done(Behavior { lifetime: found, ..self.found }),
            },
        }
    }

    /// "If OTHER-ADDRESS is not returned, the server does not support this usage and this test cannot be run" (section
    /// 4.4).
    fn after_mapping(&mut self, found: mapping::Found) -> Step<Behavior> {
        let Some((one, mapping)) = found else { return Step::Done(self.found) };
        self.found = Behavior { mapped: Some(one.mapped), mapping, ..self.found };
        let Some(other) = one.other else { return self.after_filtering() };
        let (test, first) = FilteringTest::new(&self.config, [self.sockets[1], self.sockets[2]], other);
        self.test = Test::Filtering(test);
        Step::Ask(first)
    }

    /// Where nothing translates, nothing hairpins.
    fn after_filtering(&mut self) -> Step<Behavior> {
        if self.found.mapped == Some(self.sockets[0]) {
            return self.after_hairpin();
        }
        let (test, first) = HairpinTest::new(&self.config, [self.sockets[3], self.sockets[4]]);
        self.test = Test::Hairpin(test);
        Step::Ask(first)
    }

    fn after_hairpin(&mut self) -> Step<Behavior> {
        let (test, first) = LifetimeTest::new(&self.config, [self.sockets[5], self.sockets[6]]);
        self.test = Test::Lifetime(test);
        Step::Ask(first)
    }
}
