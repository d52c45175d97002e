//! Mapping (RFC 5780 section 4.3), and with its first test whether UDP gets through at all.

use natbed_packet::Endpoint;

use super::exchange::{Answer, Ask, Step, Success};
use super::{Config, Mapping};

/// Tests I to III, all from one socket.
#[derive(Clone, Debug)]
pub(super) struct MappingTest {
    config: Config,
    socket: Endpoint,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    One,
    Two { one: Success, other: Endpoint },
    Three { one: Success, two: Endpoint },
}

/// What the tests found, if there was a response to the first.
pub(super) type Found = Option<(Success, Option<Mapping>)>;

impl MappingTest {
    pub(super) const fn new(config: &Config, socket: Endpoint) -> (Self, Ask) {
        let first = Ask::binding(socket, config.server, config.schedule);
        (Self { config: *config, socket, stage: Stage::One }, first)
    }

    pub(super) fn next(&mut self, answer: Answer) -> Step<Found> {
        match (self.stage, answer) {
            (Stage::One, Answer::Success(one)) => self.after_one(one),
            (Stage::One, _) => Step::Done(None),
            (Stage::Two { one, .. }, Answer::Success(two)) if two.mapped == one.mapped => {
                Step::Done(Some((one, Some(Mapping::EndpointIndependent))))
            }
            (Stage::Two { one, other }, Answer::Success(two)) => {
                self.stage = Stage::Three { one, two: two.mapped };
                Step::Ask(Ask::binding(self.socket, other, self.config.schedule))
            }
            (Stage::Three { one, two }, Answer::Success(three)) if three.mapped == two => {
                Step::Done(Some((one, Some(Mapping::AddressDependent))))
            }
            (Stage::Three { one, .. }, Answer::Success(_)) => {
                Step::Done(Some((one, Some(Mapping::AddressAndPortDependent))))
            }
            (Stage::Two { one, .. } | Stage::Three { one, .. }, _) => Step::Done(Some((one, None))),
        }
    }

    /// "If this address and port are the same as the local IP address and port of the socket [...] the effective
    /// mapping will be Endpoint-Independent."
    fn after_one(&mut self, one: Success) -> Step<Found> {
        if one.mapped == self.socket {
            return Step::Done(Some((one, Some(Mapping::EndpointIndependent))));
        }
        let Some(other) = one.other else { return Step::Done(Some((one, None))) };
        self.stage = Stage::Two { one, other };
        let second = Endpoint::new(other.ip, self.config.server.port);
        Step::Ask(Ask::binding(self.socket, second, self.config.schedule))
    }
}
