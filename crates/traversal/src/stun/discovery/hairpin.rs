//! Hairpinning (RFC 5780 section 3.4).

use natbed_packet::Endpoint;

use super::Config;
use super::exchange::{Answer, Ask, Step, Wanted};
use super::lifetime::hasty;

/// Two sockets learn their mapped addresses, then each sends to the other's until a request comes back in. The RFC sends
/// from one alone; then the filter of the other, which that one has never sent to, would pass for the want of
/// hairpinning.
#[derive(Clone, Debug)]
pub(super) struct HairpinTest {
    config: Config,
    sockets: [Endpoint; 2],
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    First,
    Second { first: Endpoint },
    ToSecond { first: Endpoint },
    ToFirst,
}

impl HairpinTest {
    pub(super) const fn new(config: &Config, sockets: [Endpoint; 2]) -> (Self, Ask) {
        let first = Ask::binding(sockets[0], config.server, config.schedule);
        (Self { config: *config, sockets, stage: Stage::First }, first)
    }

    pub(super) const fn next(&mut self, answer: Answer) -> Step<Option<bool>> {
        let [first_socket, second_socket] = self.sockets;
        match (self.stage, answer) {
            (Stage::First, Answer::Success(success)) => {
                self.stage = Stage::Second { first: success.mapped };
                Step::Ask(Ask::binding(second_socket, self.config.server, self.config.schedule))
            }
            (Stage::Second { first }, Answer::Success(success)) => {
                self.stage = Stage::ToSecond { first };
                Step::Ask(self.turn(first_socket, success.mapped))
            }
            (Stage::ToSecond { .. } | Stage::ToFirst, Answer::Returned) => Step::Done(Some(true)),
            (Stage::ToSecond { first }, _) => {
                self.stage = Stage::ToFirst;
                Step::Ask(self.turn(second_socket, first))
            }
            (Stage::ToFirst, _) => Step::Done(Some(false)),
            (Stage::First | Stage::Second { .. }, _) => Step::Done(None),
        }
    }

    const fn turn(&self, from: Endpoint, mapped: Endpoint) -> Ask {
        let schedule = hasty(self.config.schedule);
        Ask { wanted: Wanted::Request, ..Ask::binding(from, mapped, schedule) }
    }
}
