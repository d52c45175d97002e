//! What agents and servers tell, as the event log shows it.

use natbed_traversal::ice::{
    Candidate, CheckAnswer, CheckFailure, ConsentLoss, Event, Failure, GatherFailure, GatheringState,
    Ignored, PairAddresses, RemoteOutcome, SelectedPair, Side,
};
use natbed_traversal::stun::TransactionId;
use natbed_traversal::turn::server::DiscardReason;
use serde_json::{Value, json};

use crate::peer::{ChannelEvent, Discard};

/// The event's name and what it needs.
pub(super) fn ice(event: &Event) -> (&'static str, Value) {
    match event {
        Event::GatheringState(state) => ("gathering", json!({ "state": gathering(*state) })),
        Event::LocalCandidate { candidate: local, server } => (
            "candidate",
            json!({ "candidate": candidate(local), "server": server.map(|server| server.to_string()) }),
        ),
        Event::GatherFailed { base, server, why } => (
            "gather-failed",
            json!({ "base": base.to_string(), "server": server.to_string(), "why": gather_failure(*why) }),
        ),
        Event::Redirected { base, from, to } => (
            "redirected",
            json!({ "base": base.to_string(), "server": from.to_string(), "to": to.to_string() }),
        ),
        Event::EndOfCandidates { ufrag } => ("end-of-candidates", json!({ "ufrag": ufrag })),
        Event::RemoteCandidate { candidate: remote, outcome } => (
            "remote-candidate",
            json!({ "candidate": candidate(remote), "outcome": remote_outcome(*outcome) }),
        ),
        Event::PeerReflexive { side, candidate: learnt, pair } => {
            let side = if *side == Side::Local { "local" } else { "remote" };
            (
                "peer-reflexive",
                json!({ "side": side, "candidate": candidate(learnt), "pair": addresses(pair) }),
            )
        }
        Event::PairState { pair, from, to } => (
            "pair-state",
            json!({
                "pair": addresses(pair),
                "from": from.map(|state| state.to_string()),
                "to": to.to_string(),
            }),
        ),
        Event::PairDiscarded { pair } => ("pair-discarded", json!({ "pair": addresses(pair) })),
        Event::CheckSent { pair, transaction, retransmission, use_candidate } => (
            "check",
            json!({
                "pair": addresses(pair),
                "transaction": hex(transaction),
                "retransmission": retransmission,
                "use_candidate": use_candidate,
            }),
        ),
        Event::CheckReceived { pair, transaction, use_candidate, answer } => (
            "check-received",
            json!({
                "pair": addresses(pair),
                "transaction": hex(transaction),
                "use_candidate": use_candidate,
                "answer": check_answer(*answer),
            }),
        ),
        Event::CheckSucceeded { pair, transaction, mapped, rtt } => (
            "check-succeeded",
            json!({
                "pair": addresses(pair),
                "transaction": hex(transaction),
                "mapped": mapped.to_string(),
                "rtt_ns": u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX),
            }),
        ),
        Event::CheckFailed { pair, transaction, why } => (
            "check-failed",
            json!({
                "pair": addresses(pair),
                "transaction": hex(transaction),
                "why": check_failure(why),
            }),
        ),
        Event::Permission { relayed, peer, granted } => (
            "permission",
            json!({ "relayed": relayed.to_string(), "peer": peer.to_string(), "granted": granted }),
        ),
        Event::RoleSwitched { role } => {
            ("role-switched", json!({ "role": format!("{role:?}").to_lowercase() }))
        }
        Event::RelayWait { pair, until } => {
            ("relay-wait", json!({ "pair": addresses(pair), "until_ns": until.as_nanos() }))
        }
        Event::Nominated { pair } => ("nominated", json!({ "pair": addresses(pair) })),
        Event::Selected(pair) => ("selected", selected(pair)),
        Event::SelectedUpdated(pair) => ("selected-updated", selected(pair)),
        Event::Kept { pair, transaction } => {
            let kind = if transaction.is_some() { "consent check" } else { "indication" };
            ("keepalive", json!({ "pair": addresses(pair), "kind": kind }))
        }
        Event::ConsentRenewed { pair } => ("consent-renewed", json!({ "pair": addresses(pair) })),
        Event::ConsentLost { pair, why } => {
            ("consent-lost", json!({ "pair": addresses(pair), "why": consent_loss(*why) }))
        }
        Event::Freed { base } => ("freed", json!({ "base": base.to_string() })),
        Event::RelayLost { relayed } => ("relay-lost", json!({ "relayed": relayed.to_string() })),
        Event::Restarted { ufrag } => ("restarted", json!({ "ufrag": ufrag })),
        Event::Failed { why } => ("failed", json!({ "why": failure(*why) })),
        Event::Data { pair, payload } => ("data", json!({ "pair": addresses(pair), "size": payload.len() })),
        Event::Ignored { pair, why } => ("ignored", json!({ "pair": addresses(pair), "why": ignored(*why) })),
    }
}

/// A datagram that a TURN server did not relay.
pub(super) fn discard(discard: &Discard) -> (&'static str, Value) {
    let reason = match discard.reason {
        DiscardReason::Malformed => "malformed",
        DiscardReason::Unexpected => "unexpected",
        DiscardReason::NoAllocation => "no-allocation",
        DiscardReason::NoPermission => "no-permission",
        DiscardReason::NoChannel => "no-channel",
        DiscardReason::TooLong => "too-long",
    };
    let (from, to) = (discard.from.to_string(), discard.to.to_string());
    ("discarded", json!({ "source": from, "destination": to, "reason": reason }))
}

/// What happens to a data channel.
pub(super) fn channel(event: &ChannelEvent) -> (&'static str, Value) {
    let with = |text: &str, state: &str| ("channel", json!({ "state": state, "text": text }));
    match event {
        ChannelEvent::Opened { label } => ("channel", json!({ "state": "open", "label": label })),
        ChannelEvent::Sent { text } => with(text, "sent"),
        ChannelEvent::Received { text } => with(text, "received"),
        ChannelEvent::Echoed { text } => with(text, "echoed"),
        ChannelEvent::Closed => ("channel", json!({ "state": "closed" })),
    }
}

fn candidate(candidate: &Candidate) -> Value {
    json!({
        "type": candidate.kind.to_string(),
        "address": candidate.address.to_string(),
        "priority": candidate.priority,
        "foundation": candidate.foundation.to_string(),
        "related": candidate.related.map(|related| related.to_string()),
    })
}

fn hex(transaction: &TransactionId) -> String {
    transaction.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn addresses(pair: &PairAddresses) -> Value {
    json!({ "local": pair.base.to_string(), "remote": pair.remote.to_string() })
}

fn selected(pair: &SelectedPair) -> Value {
    json!({ "local": candidate(&pair.local), "remote": candidate(&pair.remote), "relayed": pair.relayed })
}

fn gathering(state: GatheringState) -> &'static str {
    match state {
        GatheringState::New => "new",
        GatheringState::Gathering => "gathering",
        GatheringState::Complete => "complete",
    }
}

/// Why a server gave no candidate, in words.
pub(crate) fn gather_failure(why: GatherFailure) -> String {
    match why {
        GatherFailure::Timeout => "it never answers".into(),
        GatherFailure::Rejected(code) => format!("it answers with error {code}"),
        GatherFailure::Unreachable => "an ICMP error says that it cannot be reached".into(),
        GatherFailure::Malformed => "its answer makes no sense".into(),
        GatherFailure::Unauthentic => "its answer does not prove that it knows the password".into(),
    }
}

fn remote_outcome(outcome: RemoteOutcome) -> &'static str {
    match outcome {
        RemoteOutcome::Added => "added",
        RemoteOutcome::Named => "known as peer-reflexive, now by its signalled type",
        RemoteOutcome::Duplicate => "known already",
        RemoteOutcome::Unusable => "unusable",
        RemoteOutcome::Discarded => "too many",
    }
}

fn check_answer(answer: CheckAnswer) -> String {
    match answer {
        CheckAnswer::Success => "success".into(),
        CheckAnswer::Early => "success, before the peer's credentials came".into(),
        CheckAnswer::Error(code) => format!("error {code}"),
    }
}

/// Why a check failed, in words.
pub(crate) fn check_failure(why: &CheckFailure) -> String {
    match why {
        CheckFailure::Timeout => "no response".into(),
        CheckFailure::NonSymmetric { response } => format!(
            "the response came from {} to {}, not the way the request went",
            response.remote, response.base
        ),
        CheckFailure::RoleConflict => "both agents have the same role".into(),
        CheckFailure::Rejected(code) => format!("error {code}"),
        CheckFailure::Unreachable => "an ICMP error says that there is no one".into(),
        CheckFailure::Malformed => "the response makes no sense".into(),
    }
}

/// Why consent is gone, in words.
pub(crate) fn consent_loss(why: ConsentLoss) -> &'static str {
    match why {
        ConsentLoss::Expired => "no check was answered for 30 s",
        ConsentLoss::Revoked => "the peer revoked it",
        ConsentLoss::BaseLost => "the local address is gone",
    }
}

fn failure(why: Failure) -> &'static str {
    match why {
        Failure::NoValidPair => "no pair became valid within 39.5 s",
        Failure::NoPairs => "there was no pair to check",
        Failure::NominationFailed => "the check that nominates failed",
    }
}

fn ignored(why: Ignored) -> &'static str {
    match why {
        Ignored::NoSuchBase => "it arrived on no socket in use",
        Ignored::Malformed => "it is no well-formed message",
        Ignored::Unauthenticated => "its credential is not this session's",
        Ignored::UnknownTransaction => "it answers nothing that was asked",
        Ignored::UnknownSource => "data from an unknown address",
    }
}
