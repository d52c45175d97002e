//! What went over a connection's data channel.

use natbed_net::trace::Event;
use natbed_packet::Timestamp;

use super::Step;
use super::connection::Connection;
use super::tell::{Teller, seconds};
use crate::diagnose::quoted;
use crate::peer::{ChannelEvent, PeerEvent};
use crate::run;

/// The steps of the channel, if the connection was to have one.
pub(super) fn channel(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    result: Option<&run::Channel>,
) -> Vec<Step> {
    let Some(result) = result else { return Vec::new() };
    let mut steps = Vec::new();
    for record in teller.run.log() {
        let Event::Program { program, event: PeerEvent::Channel(event) } = &record.event else { continue };
        let Some(side) = connection.agents.iter().position(|agent| agent == program) else { continue };
        let who = connection.names[side];
        let text = match event {
            ChannelEvent::Opened { label } => format!(
                "The data channel {} is open at {who}: the DTLS handshake is over, and SCTP stands on top of it.",
                quoted(label)
            ),
            ChannelEvent::Sent { text } if side == 0 => format!("{who} sends {}.", quoted(text)),
            ChannelEvent::Sent { .. } => format!("{who} sends it back."),
            ChannelEvent::Received { text } => format!("{who} gets {}.", quoted(text)),
            ChannelEvent::Echoed { .. } => match result.round_trip {
                Some(time) => {
                    format!("It is back at {who}, {} after it was sent.", seconds(Timestamp::ZERO + time))
                }
                None => format!("It is back at {who}."),
            },
            ChannelEvent::Closed => format!("The data channel is closed at {who}."),
        };
        steps.push(Step::new(record.time, text, Vec::new()));
    }
    if !result.echoed() {
        let text = "Nothing comes back over the data channel.".to_owned();
        steps.push(Step::new(teller.run.lowered.simulator.now(), text, Vec::new()));
    }
    steps
}
