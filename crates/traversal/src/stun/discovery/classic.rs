//! The flow chart of RFC 3489 section 10.1, figure 2, from one socket.

use natbed_packet::Endpoint;

use super::exchange::{Answer, Ask, Step, Success};
use super::{Config, Verdict};

/// Tests I, II, I to the other address, and III. OTHER-ADDRESS stands for CHANGED-ADDRESS, which RFC 5780 servers no longer
/// send.
#[derive(Clone, Debug)]
pub(super) struct ClassicTests {
    config: Config,
    socket: Endpoint,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    One,
    Two {
        one: Success,
        other: Endpoint,
    },
    /// Test I "to the address and port from the CHANGED-ADDRESS attribute".
    Again {
        one: Success,
        other: Endpoint,
    },
    Three,
}

impl ClassicTests {
    pub(super) const fn new(config: &Config, socket: Endpoint) -> (Self, Ask) {
        let first = Ask::binding(socket, config.server, config.schedule);
        (Self { config: *config, socket, stage: Stage::One }, first)
    }

    /// `None` where the server does not change addresses.
    pub(super) fn next(&mut self, answer: Answer) -> Step<Option<Verdict>> {
        match (self.stage, answer) {
            (Stage::Two { .. } | Stage::Three, Answer::Success(success))
                if success.from == self.config.server =>
            {
                Step::Done(None)
            }
            (Stage::One, Answer::Silence) => Step::Done(Some(Verdict::UdpBlocked)),
            (Stage::One, Answer::Success(one)) => self.after_one(one),
            (Stage::Two { one, .. }, Answer::Success(_)) => {
                Step::Done(Some(if self.is_translated(&one) { Verdict::FullCone } else { Verdict::Open }))
            }
            (Stage::Two { one, other }, Answer::Silence) => self.after_silence(one, other),
            (Stage::Again { one, .. }, Answer::Success(again)) if again.mapped != one.mapped => {
                Step::Done(Some(Verdict::Symmetric))
            }
            (Stage::Again { other, .. }, Answer::Success(_)) => {
                self.stage = Stage::Three;
                Step::Ask(self.ask(self.config.server).change(false, other))
            }
            (Stage::Three, Answer::Success(_)) => Step::Done(Some(Verdict::RestrictedCone)),
            (Stage::Three, Answer::Silence) => Step::Done(Some(Verdict::PortRestrictedCone)),
            (Stage::Again { .. }, Answer::Silence) | (_, Answer::Refused | Answer::Returned) => {
                Step::Done(None)
            }
        }
    }

    fn after_one(&mut self, one: Success) -> Step<Option<Verdict>> {
        let Some(other) = one.other else { return Step::Done(None) };
        self.stage = Stage::Two { one, other };
        Step::Ask(self.ask(self.config.server).change(true, other))
    }

    fn after_silence(&mut self, one: Success, other: Endpoint) -> Step<Option<Verdict>> {
        if !self.is_translated(&one) {
            return Step::Done(Some(Verdict::SymmetricUdpFirewall));
        }
        self.stage = Stage::Again { one, other };
        Step::Ask(self.ask(other))
    }

    fn is_translated(&self, one: &Success) -> bool {
        one.mapped != self.socket
    }

    fn ask(&self, to: Endpoint) -> Ask {
        Ask::binding(self.socket, to, self.config.schedule)
    }
}
