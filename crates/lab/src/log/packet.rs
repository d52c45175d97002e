//! Datagrams and table entries as the event log shows them.

use std::net::IpAddr;

use natbed_nat::{MappingView, Remote};
use natbed_net::PacketId;
use natbed_packet::{Datagram, Endpoint, Icmp, IcmpErrorKind, Transport, fragment};
use natbed_traversal::stun::{self, Attribute, AttributeType, Message};
use natbed_traversal::turn::ChannelData;
use serde_json::{Value, json};

/// A datagram as a JSON object.
pub fn packet(id: PacketId, datagram: &Datagram) -> Value {
    let text = |endpoint: Option<Endpoint>, ip: IpAddr| {
        endpoint.map_or_else(|| ip.to_string(), |endpoint| endpoint.to_string())
    };
    let protocol = match datagram.transport {
        Transport::Udp(_) => "udp",
        Transport::Tcp(_) => "tcp",
        Transport::Icmp(_) => "icmp",
        Transport::Fragment { .. } => "fragment",
    };
    let mut packet = json!({
        "id": id.0,
        "source": text(datagram.source_endpoint(), datagram.source),
        "destination": text(datagram.destination_endpoint(), datagram.destination),
        "protocol": protocol,
        "size": datagram.wire_len(),
        "carries": carries(datagram),
    });
    if datagram.is_fragment() {
        packet["fragment"] = json!({
            "identification": datagram.identification,
            "offset": usize::from(datagram.fragment_offset) * fragment::UNIT,
            "more": datagram.more_fragments,
        });
    }
    packet
}

/// A table entry as a JSON object.
pub fn mapping(mapping: &MappingView) -> Value {
    let permitted: Vec<String> = mapping.permitted.iter().map(|permitted| remote(permitted.remote)).collect();
    json!({
        "internal": mapping.internal.to_string(),
        "external": mapping.external.to_string(),
        "destination": remote(mapping.destination),
        "permitted": permitted,
        "expires_ns": mapping.expires.as_nanos(),
    })
}

/// `any`, an address, or an address and port.
pub fn remote(remote: Remote) -> String {
    match remote {
        Remote::Any => "any".into(),
        Remote::Address(ip) => ip.to_string(),
        Remote::Endpoint(endpoint) => endpoint.to_string(),
    }
}

/// What a datagram carries, in a few words: `stun binding request`, `icmp port unreachable`, `text "hello"`.
pub fn carries(datagram: &Datagram) -> String {
    match &datagram.transport {
        Transport::Udp(udp) => payload(&udp.payload),
        Transport::Tcp(_) => "tcp segment".into(),
        Transport::Icmp(Icmp::Query(query)) => {
            format!("icmp echo {}", if query.reply { "reply" } else { "request" })
        }
        Transport::Icmp(Icmp::Error(error)) => format!("icmp {}", icmp_error(error.kind)),
        Transport::Fragment { payload, .. } => {
            let which = match (datagram.fragment_offset, datagram.more_fragments) {
                (0, _) => "first fragment",
                (_, true) => "fragment",
                (_, false) => "last fragment",
            };
            let start = usize::from(datagram.fragment_offset) * fragment::UNIT;
            format!("{which}, octets {start} to {}", (start + payload.len()).saturating_sub(1))
        }
    }
}

/// STUN and TURN by name, with what is wrapped for a relay; other data as it is.
fn payload(bytes: &[u8]) -> String {
    let Some(text) = stun::describe(bytes) else { return data(bytes) };
    match wrapped(bytes) {
        Some(inner) => format!("{text} with {}", stun::describe(inner).unwrap_or_else(|| data(inner))),
        None => text,
    }
}

/// What a datagram between a TURN client and its server carries for a peer (RFC 8656 sections 11 and 12).
pub(crate) fn wrapped(bytes: &[u8]) -> Option<&[u8]> {
    if stun::is_channel_data(bytes) {
        return ChannelData::parse(bytes).map(|channel| channel.data);
    }
    match Message::parse(bytes).ok()?.attribute(AttributeType::DATA)? {
        Attribute::Data(inner) => Some(inner),
        _ => None,
    }
}

pub(super) fn data(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if text.len() <= 40 && text.chars().all(|c| !c.is_control()) => format!("text {text:?}"),
        _ => format!("{} octets of data", payload.len()),
    }
}

fn icmp_error(kind: IcmpErrorKind) -> &'static str {
    match kind {
        IcmpErrorKind::NetworkUnreachable => "network unreachable",
        IcmpErrorKind::HostUnreachable => "host unreachable",
        IcmpErrorKind::PortUnreachable => "port unreachable",
        IcmpErrorKind::TooBig { .. } => "packet too big",
        IcmpErrorKind::AdministrativelyProhibited => "administratively prohibited",
        IcmpErrorKind::TimeExceeded => "time exceeded",
        IcmpErrorKind::Other { .. } => "error",
    }
}
