//! Filtering (RFC 5780 section 4.4).

use natbed_packet::Endpoint;

use super::exchange::{Answer, Ask, Step};
use super::{Config, Filtering};

/// Tests II and III, each from a socket that nothing was sent from.
#[derive(Clone, Debug)]
pub(super) struct FilteringTest {
    config: Config,
    /// The socket of test III.
    second: Endpoint,
    other: Endpoint,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Two,
    Three,
}

impl FilteringTest {
    /// `other` is the server's OTHER-ADDRESS.
    pub(super) const fn new(config: &Config, sockets: [Endpoint; 2], other: Endpoint) -> (Self, Ask) {
        let [first, second] = sockets;
        let two = Ask::binding(first, config.server, config.schedule).change(true, other);
        (Self { config: *config, second, other, stage: Stage::Two }, two)
    }

    pub(super) fn next(&mut self, answer: Answer) -> Step<Option<Filtering>> {
        match (self.stage, answer) {
            (_, Answer::Success(success)) if success.from == self.config.server => Step::Done(None),
            (Stage::Two, Answer::Success(_)) => Step::Done(Some(Filtering::EndpointIndependent)),
            (Stage::Three, Answer::Success(_)) => Step::Done(Some(Filtering::AddressDependent)),
            (Stage::Two, Answer::Silence) => {
                self.stage = Stage::Three;
                let three = Ask::binding(self.second, self.config.server, self.config.schedule);
                Step::Ask(three.change(false, self.other))
            }
            (Stage::Three, Answer::Silence) => Step::Done(Some(Filtering::AddressAndPortDependent)),
            (_, Answer::Refused | Answer::Returned) => Step::Done(None),
        }
    }
}
