//! `webrtc`: str0m, a whole WebRTC peer. Offer and answer travel as SDP, candidates trickle after them, and where the
//! connection has a channel, a text goes there and back over it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use natbed_lab::peer::{ChannelEvent, Guest, MessageKind, Setup, Signal};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{self, CandidateType, ConsentLoss};
use rand::RngExt;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelData, ChannelId};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Candidate, IceConnectionState, IceCreds, Input, Output, Rtc, RtcConfig, RtcError};

use crate::clock::{Dice, instant, timestamp};
use crate::guest::Agent;
use crate::stack::{Act, Found, Outbox, Packet, Stack};

/// How often the stack is asked which pair it uses, as it does not say when that changes.
const LOOK: Duration = Duration::from_millis(100);
/// The label of the one channel.
const LABEL: &str = "natbed";

/// Makes an agent.
pub(crate) fn agent(mut setup: Setup) -> Box<dyn Guest> {
    let mut dice = Dice::new(setup.rng.random());
    let config = RtcConfig::new()
        .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
        .set_ice_lite(setup.config.lite)
        .set_local_ice_credentials(dice.around(IceCreds::new))
        .set_stats_interval(Some(LOOK));
    let rtc = dice.around(|| config.build(instant(Timestamp::ZERO)));
    let stack = WebRtc {
        rtc,
        dice,
        due: None,
        offers: setup.initiator,
        pending: None,
        text: setup.channel.clone(),
        sent: false,
        up: false,
    };
    Box::new(Agent::new(setup, stack))
}

/// A peer. The initiator makes the offers; it makes another, with new ICE credentials, when its pair is lost.
struct WebRtc {
    rtc: Rtc,
    dice: Dice,
    due: Option<Timestamp>,
    offers: bool,
    /// The offer that waits for an answer.
    pending: Option<SdpPendingOffer>,
    /// What is to go over the channel.
    text: Option<String>,
    sent: bool,
    up: bool,
}

impl WebRtc {
    /// Lets `change` act on the peer, then takes all that the peer wants done, as it has to be after each change.
    fn change<R>(&mut self, now: Timestamp, out: &mut Outbox, change: impl FnOnce(&mut Rtc) -> R) -> R {
        let Self { rtc, dice, .. } = self;
        let result = dice.around(|| change(rtc));
        self.drain(now, out);
        result
    }

    fn drain(&mut self, now: Timestamp, out: &mut Outbox) {
        /// Rounds at one time; a peer that still wants to be called then is called a little later.
        const ROUNDS: usize = 16;
        const TICK: Duration = Duration::from_millis(1);
        for _ in 0..ROUNDS {
            self.due = self.poll(now, out);
            if self.due.is_none_or(|due| due > now) {
                return;
            }
            let Self { rtc, dice, .. } = self;
            if let Err(error) = dice.around(|| rtc.handle_input(Input::Timeout(instant(now)))) {
                out.note("error", error.to_string());
            }
        }
        self.due = self.poll(now, out).map(|due| due.max(now + TICK));
    }

    /// Takes what the peer wants done; when it wants to be woken.
    fn poll(&mut self, now: Timestamp, out: &mut Outbox) -> Option<Timestamp> {
        loop {
            let Self { rtc, dice, .. } = self;
            match dice.around(|| rtc.poll_output()) {
                Ok(Output::Timeout(due)) => return timestamp(due),
                Ok(Output::Transmit(transmit)) => self.send(&transmit, out),
                Ok(Output::Event(event)) => self.hear_event(now, event, out),
                Err(error) => {
                    out.note("error", error.to_string());
                    if !self.rtc.is_alive() {
                        return None;
                    }
                }
            }
        }
    }

    /// What is not a check goes over the pair in use.
    fn send(&mut self, transmit: &Transmit, out: &mut Outbox) {
        let (local, remote) = (transmit.source.into(), transmit.destination.into());
        let payload = Bytes::copy_from_slice(&transmit.contents);
        if !natbed_traversal::stun::is_stun(&payload) {
            self.select(local, remote, out);
        }
        out.push(Act::Send(Packet { local, remote, payload }));
    }

    fn select(&mut self, base: Endpoint, remote: Endpoint, out: &mut Outbox) {
        self.up = true;
        out.push(Act::Select { base, remote });
    }

    fn hear_event(&mut self, now: Timestamp, event: str0m::Event, out: &mut Outbox) {
        match event {
            str0m::Event::Connected => out.note("dtls", "connected"),
            str0m::Event::Closed => out.note("dtls", "closed"),
            str0m::Event::IceConnectionStateChange(state) => {
                out.note("ice-state", format!("{state:?}").to_lowercase());
                if state == IceConnectionState::Disconnected && std::mem::take(&mut self.up) {
                    out.push(Act::Lose(ConsentLoss::Expired));
                    self.restart(now, out);
                }
            }
            str0m::Event::PeerStats(stats) => {
                if let Some(pair) = stats.selected_candidate_pair {
                    self.select(pair.local.addr.into(), pair.remote.addr.into(), out);
                }
            }
            str0m::Event::ChannelOpen(channel, label) => self.opened(channel, label, out),
            str0m::Event::ChannelData(data) => self.received(&data, out),
            str0m::Event::ChannelClose(_) => out.push(Act::Channel(ChannelEvent::Closed)),
            _ => {}
        }
    }

    /// The initiator sends the text as soon as the channel is open.
    fn opened(&mut self, channel: ChannelId, label: String, out: &mut Outbox) {
        out.push(Act::Channel(ChannelEvent::Opened { label }));
        if let Some(text) = self.text.clone().filter(|_| self.offers && !self.sent) {
            self.sent = true;
            let event = ChannelEvent::Sent { text: text.clone() };
            self.write(channel, false, text.as_bytes(), event, out);
        }
    }

    /// The initiator looks whether its text has come back; the other side sends back what it gets.
    fn received(&mut self, data: &ChannelData, out: &mut Outbox) {
        let text = String::from_utf8_lossy(&data.data).into_owned();
        if !self.offers {
            out.push(Act::Channel(ChannelEvent::Received { text: text.clone() }));
            let event = ChannelEvent::Sent { text };
            self.write(data.id, data.binary, &data.data, event, out);
        } else if self.text.as_deref() == Some(text.as_str()) {
            out.push(Act::Channel(ChannelEvent::Echoed { text }));
        } else {
            out.push(Act::Channel(ChannelEvent::Received { text }));
        }
    }

    fn write(
        &mut self,
        channel: ChannelId,
        binary: bool,
        data: &[u8],
        event: ChannelEvent,
        out: &mut Outbox,
    ) {
        let Self { rtc, dice, .. } = self;
        let written = dice.around(|| rtc.channel(channel).map(|mut channel| channel.write(binary, data)));
        match written {
            Some(Ok(true)) => out.push(Act::Channel(event)),
            Some(Err(error)) => out.note("error", error.to_string()),
            Some(Ok(false)) | None => out.note("error", "the channel takes nothing"),
        }
    }

    fn offer(&mut self, now: Timestamp, out: &mut Outbox, restart: bool) {
        let offer = self.change(now, out, |rtc| {
            let mut change = rtc.sdp_api();
            if restart {
                change.ice_restart(true);
            } else {
                change.add_channel(LABEL.to_owned());
            }
            change.apply()
        });
        if let Some((offer, pending)) = offer {
            out.push(Act::Description { kind: MessageKind::Offer, sdp: offer.to_sdp_string() });
            self.pending = Some(pending);
        }
    }

    fn restart(&mut self, now: Timestamp, out: &mut Outbox) {
        if self.offers && self.pending.is_none() {
            self.offer(now, out, true);
        }
    }

    fn take_answer(&mut self, now: Timestamp, sdp: &str, out: &mut Outbox) -> Result<(), RtcError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let answer = SdpAnswer::from_sdp_string(sdp)?;
        self.change(now, out, |rtc| rtc.sdp_api().accept_answer(pending, answer))
    }

    /// Where two offers cross, the initiator leaves the other's aside, and the other side gives way.
    fn take_offer(&mut self, now: Timestamp, sdp: &str, out: &mut Outbox) -> Result<(), RtcError> {
        if self.offers && self.pending.is_some() {
            return Ok(());
        }
        let offer = SdpOffer::from_sdp_string(sdp)?;
        let answer = self.change(now, out, |rtc| rtc.sdp_api().accept_offer(offer))?;
        out.push(Act::Description { kind: MessageKind::Answer, sdp: answer.to_sdp_string() });
        Ok(())
    }
}

impl Stack for WebRtc {
    const GATHERS: bool = true;
    const DESCRIBES: bool = true;

    fn begin(&mut self, now: Timestamp, _sockets: &[Endpoint], out: &mut Outbox) {
        self.handle_timeout(now, out);
        if self.offers {
            self.offer(now, out, false);
        }
    }

    fn add_local(&mut self, now: Timestamp, found: &Found, out: &mut Outbox) {
        let (address, socket) = (SocketAddr::from(found.address), SocketAddr::from(found.socket));
        let candidate = match found.kind {
            CandidateType::Host | CandidateType::PeerReflexive => Candidate::host(address, Protocol::Udp),
            CandidateType::ServerReflexive => Candidate::server_reflexive(address, socket, Protocol::Udp),
            CandidateType::Relayed => Candidate::relayed(address, socket, Protocol::Udp),
        };
        let Ok(candidate) = candidate else { return };
        let own: Option<ice::Candidate> =
            self.change(now, out, |rtc| rtc.add_local_candidate(candidate)?.to_sdp_string().parse().ok());
        if let Some(candidate) = own {
            let base = if found.kind == CandidateType::Relayed { found.address } else { found.socket };
            out.push(Act::Local { candidate, base, server: found.server });
        }
    }

    fn end_of_locals(&mut self, now: Timestamp, out: &mut Outbox) {
        let ufrag = self.change(now, out, |rtc| rtc.direct_api().local_ice_credentials().ufrag);
        out.push(Act::EndOfLocals { ufrag });
    }

    fn lose_base(&mut self, _now: Timestamp, base: Endpoint, out: &mut Outbox) {
        out.note("socket", format!("{base} is gone, and str0m cannot be told"));
    }

    fn hear(&mut self, now: Timestamp, signal: Signal, out: &mut Outbox) {
        let Signal::Candidate(candidate) = signal else { return };
        if let Ok(remote) = Candidate::from_sdp_string(&candidate.to_string()) {
            self.change(now, out, |rtc| rtc.add_remote_candidate(remote));
            out.push(Act::Remote(candidate));
        }
    }

    fn describe(&mut self, now: Timestamp, kind: MessageKind, sdp: &str, out: &mut Outbox) {
        let taken = match kind {
            MessageKind::Offer => self.take_offer(now, sdp, out),
            _ => self.take_answer(now, sdp, out),
        };
        if let Err(error) = taken {
            out.note("error", error.to_string());
        }
    }

    fn receive(&mut self, now: Timestamp, packet: &Packet, out: &mut Outbox) {
        let (source, destination) = (packet.remote.into(), packet.local.into());
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, &packet.payload) else { return };
        let input = Input::Receive(instant(now), receive);
        if !self.rtc.accepts(&input) {
            return;
        }
        let Self { rtc, dice, .. } = self;
        if let Err(error) = dice.around(|| rtc.handle_input(input)) {
            out.note("error", error.to_string());
        }
        self.drain(now, out);
    }

    fn handle_timeout(&mut self, now: Timestamp, out: &mut Outbox) {
        let handled = self.change(now, out, |rtc| rtc.handle_input(Input::Timeout(instant(now))));
        if let Err(error) = handled {
            out.note("error", error.to_string());
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due
    }
}
