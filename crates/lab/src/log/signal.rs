//! Messages over the signaling path, and what becomes of offers and answers, as the event log shows them.

use natbed_net::ProgramId;
use natbed_traversal::sdp::Description;
use serde_json::{Value, json};

use super::packet::data;
use crate::peer::{Described, IgnoredMessage, Message, MessageKind, NegotiationEvent};
use crate::run::Run;

pub(super) fn sent(run: &Run, number: u64, to: ProgramId, message: &[u8]) -> Value {
    let text = String::from_utf8_lossy(message);
    json!({ "id": number, "to": name(run, to), "carries": contents(message), "message": text.trim_end() })
}

pub(super) fn passed(run: &Run, number: u64, from: ProgramId, to: ProgramId, message: &[u8]) -> Value {
    json!({ "id": number, "from": name(run, from), "to": name(run, to), "carries": contents(message) })
}

pub(super) fn received(run: &Run, number: u64, from: ProgramId, message: &[u8]) -> Value {
    json!({ "id": number, "from": name(run, from), "carries": contents(message) })
}

/// The event's name and what it needs.
pub(super) fn negotiation(event: &NegotiationEvent) -> (&'static str, Value) {
    match event {
        NegotiationEvent::Local(description) => ("local-description", described(description)),
        NegotiationEvent::Remote(description) => ("remote-description", described(description)),
        NegotiationEvent::Collision { yields } => ("offer-collision", json!({ "yields": yields })),
        NegotiationEvent::Ignored { kind, why } => (
            "signal-ignored",
            json!({ "carries": kind.map(MessageKind::as_str), "why": ignored_message(why) }),
        ),
    }
}

fn described(description: &Described) -> Value {
    let Described { kind, credentials, candidates, state } = description;
    json!({ "type": kind.as_str(), "ufrag": credentials.ufrag(), "candidates": candidates, "state": state.as_str() })
}

/// What a message carries, in a few words: `offer`, `candidates host 192.168.1.2:50316`, `candidates end`.
pub(super) fn contents(message: &[u8]) -> String {
    let Some(message) = Message::read(message) else { return data(message) };
    let fragment = match message.kind {
        MessageKind::Offer | MessageKind::Answer | MessageKind::Credentials => {
            return message.kind.to_string();
        }
        MessageKind::Candidates => Description::parse_fragment(message.sdp).unwrap_or_default(),
    };
    let mut parts = Vec::new();
    for section in &fragment.media {
        parts.extend(
            section.candidates().map(|candidate| format!("{} {}", candidate.kind, candidate.address)),
        );
        parts.extend(fragment.ends_candidates(section).then(|| "end".to_owned()));
    }
    format!("candidates {}", parts.join(", "))
}

/// Why a message was left aside, in words.
pub(crate) fn ignored_message(why: &IgnoredMessage) -> String {
    match why {
        IgnoredMessage::Unknown => "it is no message that is known".into(),
        IgnoredMessage::Malformed(error) => error.to_string(),
        IgnoredMessage::NoIce => "it does not do ICE".into(),
        IgnoredMessage::NotAsked => "nothing was offered".into(),
        IgnoredMessage::OtherSession => "it belongs to another session".into(),
    }
}

fn name(run: &Run, program: ProgramId) -> &str {
    let simulator = &run.lowered.simulator;
    simulator.node_name(simulator.node_of(program))
}
