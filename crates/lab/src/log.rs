//! The event log as JSON Lines: one object a line, in order, with numbers as numbers and times in nanoseconds.

mod agent;
mod packet;
mod signal;

use std::io::{self, Write};

use natbed_net::trace::{Event, NextHop, Place};
use natbed_net::{Fault, Record};
use serde_json::{Value, json};

use crate::peer::PeerEvent;
use crate::run::Run;

pub(crate) use agent::{check_failure, consent_loss, gather_failure};
pub(crate) use packet::wrapped;
pub use packet::{carries, mapping, packet, remote};
pub(crate) use signal::ignored_message;

/// Writes the event log of `run`, a line for each event.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_jsonl(run: &Run, out: &mut impl Write) -> io::Result<()> {
    for (seq, record) in run.log().iter().enumerate() {
        serde_json::to_writer(&mut *out, &line(run, seq as u64, record))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// One record of the log of `run` as a JSON object: `time_ns`, `seq`, `event`, `node`, and what the event needs.
pub fn line(run: &Run, seq: u64, record: &Record<PeerEvent>) -> Value {
    let (event, detail) = detail(run, &record.event);
    let mut line = json!({
        "time_ns": record.time.as_nanos(),
        "seq": seq,
        "event": event,
        "node": run.place(record.place),
    });
    if let (Value::Object(line), Value::Object(detail)) = (&mut line, detail) {
        line.extend(detail.into_iter().filter(|(_, value)| !value.is_null()));
    }
    line
}

/// The event's name, and an object of what it needs; null is left out.
fn detail(run: &Run, event: &Event<PeerEvent>) -> (&'static str, Value) {
    match event {
        Event::Sent { packet: id, datagram, relays, next, .. } => {
            let relays = relays.map(|id| id.0);
            (
                "sent",
                json!({ "packet": packet(*id, datagram), "relays": relays, "next_hop": next_hop(run, *next) }),
            )
        }
        Event::Forwarded { packet: id, datagram, mapping: entry } => {
            ("forwarded", json!({ "packet": packet(*id, datagram), "entry": entry.as_ref().map(mapping) }))
        }
        Event::Translated { packet: id, before, after, direction, mapping: entry } => {
            let before = packet(*id, before);
            let detail = json!({
                "packet": packet(*id, after),
                "direction": direction.as_str(),
                "source_before": before["source"],
                "destination_before": before["destination"],
                "entry": entry.as_ref().map(mapping),
            });
            ("translated", detail)
        }
        Event::Duplicated { packet: id, copy, datagram } => {
            ("duplicated", json!({ "packet": packet(*id, datagram), "copy": copy.0 }))
        }
        Event::Fragmented { packet: id, fragments } => {
            let pieces: Vec<Value> = fragments.iter().map(|(id, piece)| packet(*id, piece)).collect();
            ("fragmented", json!({ "packet_id": id.0, "fragments": pieces }))
        }
        Event::Held { packet: id, datagram } => ("held", json!({ "packet": packet(*id, datagram) })),
        Event::Reassembled { packet: id, datagram, fragments } => {
            let fragments: Vec<u64> = fragments.iter().map(|id| id.0).collect();
            ("reassembled", json!({ "packet": packet(*id, datagram), "fragments": fragments }))
        }
        Event::Delivered { packet: id, datagram, .. } => {
            ("delivered", json!({ "packet": packet(*id, datagram) }))
        }
        Event::Dropped { packet: id, datagram, reason, mapping: entry } => {
            let detail = json!({
                "packet": packet(*id, datagram),
                "reason": reason.as_str(),
                "rule": reason.explanation(),
                "entry": entry.as_ref().map(mapping),
            });
            ("dropped", detail)
        }
        Event::MappingCreated { mapping: entry, packet } => {
            ("mapping-created", json!({ "entry": mapping(entry), "packet_id": packet.0 }))
        }
        Event::MappingExpired { mapping: entry, forgotten } => {
            ("mapping-expired", json!({ "entry": mapping(entry), "forgotten": forgotten }))
        }
        Event::FilterOpened { mapping: entry, remote, packet } => (
            "filter-opened",
            json!({ "remote": remote.to_string(), "entry": mapping(entry), "packet_id": packet.0 }),
        ),
        Event::Fault(fault) => ("fault", fault_detail(fault)),
        Event::Signaled { number, to, message, .. } => ("signaled", signal::sent(run, *number, *to, message)),
        Event::SignalPassed { number, from, to, message } => {
            ("signal-passed", signal::passed(run, *number, *from, *to, message))
        }
        Event::SignalReceived { number, from, message, .. } => {
            ("signal-received", signal::received(run, *number, *from, message))
        }
        Event::Program { event: PeerEvent::Ice(event), .. } => agent::ice(event),
        Event::Program { event: PeerEvent::Negotiation(event), .. } => signal::negotiation(event),
        Event::Program { event: PeerEvent::Discard(discard), .. } => agent::discard(discard),
        Event::Program { event: PeerEvent::Channel(event), .. } => agent::channel(event),
        Event::Program { event: PeerEvent::Note(note), .. } => {
            ("agent", json!({ "topic": note.topic, "text": note.text }))
        }
    }
}

fn fault_detail(fault: &Fault) -> Value {
    let mut detail = json!({ "fault": fault.as_str() });
    match fault {
        Fault::ChangeAddress { old, new, .. } => {
            detail["old"] = json!(old.to_string());
            detail["new"] = json!(new.to_string());
        }
        Fault::SetLink { link, .. } => {
            detail["delay_ns"] = json!(u64::try_from(link.delay.as_nanos()).unwrap_or(u64::MAX));
            detail["jitter_ns"] = json!(u64::try_from(link.jitter.as_nanos()).unwrap_or(u64::MAX));
            detail["loss"] = json!(link.loss);
            detail["duplicate"] = json!(link.duplicate);
            detail["reorder"] = json!(link.reorder);
            detail["mtu"] = json!(link.mtu);
            detail["rate"] = json!(link.rate);
            detail["queue"] = json!(link.queue);
        }
        _ => {}
    }
    detail
}

fn next_hop(run: &Run, next: NextHop) -> Option<String> {
    match next {
        NextHop::Direct(node) => Some(format!("{}, on the same subnet", run.place(Place::Node(node)))),
        NextHop::Router(node) => Some(format!("{}, the router", run.place(Place::Node(node)))),
        NextHop::Loopback => Some("the host itself".into()),
        NextHop::Network => None,
    }
}
