//! Relayed candidates: allocations, permissions, and what goes through them (RFC 8445 sections 5.1.1.2 and 7.2.1).

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::ice::event::{ConsentLoss, Event, GatherFailure};
use crate::ice::pair::PairState;
use crate::turn::client::{self, Client, Failure};

use super::gather::Gatherer;
use super::unreachable::is_hard_on_the_wire;
use super::{Agent, Base, Via};

/// How often an Allocate request is tried while an old allocation is in its way (437, RFC 8656 section 7.3).
const MAX_MISMATCHES: u8 = 3;

/// A TURN client and what came of it.
#[derive(Debug)]
pub(super) struct Relay {
    /// The socket that the server is talked to from.
    socket: usize,
    /// The server's place in the configuration.
    nth: usize,
    /// How often its predecessors met 437.
    mismatches: u8,
    progress: Progress,
    client: Client,
    permitted: BTreeSet<IpAddr>,
}

/// How far a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Allocating,
    /// The base with the relayed address.
    Allocated(usize),
    /// Nothing is sent or taken any more but the deletion of the allocation.
    Over,
    /// Its socket is gone.
    Cut,
}

impl Relay {
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        if self.progress == Progress::Cut { None } else { self.client.poll_timeout() }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if self.progress != Progress::Cut {
            self.client.handle_timeout(now);
        }
    }

    pub(super) fn is_allocating(&self) -> bool {
        self.progress == Progress::Allocating
    }
}

impl Gatherer {
    /// Server and mapped address of an allocation, while it stands.
    pub(super) fn allocation(&self, relay: usize) -> Option<(Endpoint, Endpoint)> {
        let client = &self.relays[relay].client;
        client.mapped().map(|mapped| (client.server(), mapped))
    }

    /// Whether the server lets data through to and from a peer's address.
    pub(super) fn is_permitted(&self, relay: usize, peer: Endpoint) -> bool {
        self.relays[relay].permitted.contains(&peer.ip)
    }
}

impl Agent {
    pub(super) fn ask_turn(&mut self, now: Timestamp, socket: usize, nth: usize, mismatches: u8) {
        let server = &self.config.turn_servers[nth];
        let local = self.bases[socket].address;
        let config = client::Config {
            server: server.address,
            local,
            username: server.username.clone(),
            password: server.password.clone(),
            family: local.family(),
            schedule: self.gather_schedule(),
        };
        let client = Client::new(now, config, Xoshiro256PlusPlus::from_rng(&mut self.rng));
        let (progress, permitted) = (Progress::Allocating, BTreeSet::new());
        self.gatherer.relays.push(Relay { socket, nth, mismatches, progress, client, permitted });
    }

    pub(super) fn relay_input(
        &mut self,
        now: Timestamp,
        socket: usize,
        from: Endpoint,
        payload: &Bytes,
    ) -> bool {
        let mut relays = self.gatherer.relays.iter_mut().rev().filter(|relay| relay.socket == socket);
        relays.any(|relay| relay.client.handle_input(now, from, payload))
    }

    /// Ends what is under way with a TURN server that cannot be reached.
    pub(super) fn relay_unreachable(&mut self, socket: usize, server: Endpoint) {
        let relays = self.gatherer.relays.iter_mut();
        for relay in relays.filter(|relay| relay.socket == socket && relay.client.server() == server) {
            relay.client.handle_unreachable();
        }
    }

    pub(super) fn relay_transmit(&mut self, now: Timestamp, relay: usize, to: Endpoint, payload: &Bytes) {
        // What the client refuses is lost, as it would be on the way; the pair's check then fails.
        let _ = self.gatherer.relays[relay].client.send(now, to, payload);
    }

    /// Asks for the permission that checks from a relayed base need (RFC 8445 section 7.2.1).
    pub(super) fn permit(&mut self, now: Timestamp, base: usize, peer: Endpoint) {
        if let Via::Relay(relay) = self.bases[base].via
            && self.gatherer.relays[relay].client.permit(now, peer.ip).is_err()
        {
            self.fail_pairs(|pair, remote| pair == base && remote.ip == peer.ip);
        }
    }

    /// Has data to the selected peer go over a channel, which costs less than indications.
    pub(super) fn bind_channel(&mut self, now: Timestamp, base: usize, peer: Endpoint) {
        if let Via::Relay(relay) = self.bases[base].via {
            // Without a channel there are still indications.
            let _ = self.gatherer.relays[relay].client.bind_channel(now, peer);
        }
    }

    /// Gives an allocation up.
    pub(super) fn release_relay(&mut self, now: Timestamp, relay: usize) {
        let relay = &mut self.gatherer.relays[relay];
        if relay.progress != Progress::Cut {
            relay.progress = Progress::Over;
            relay.client.close(now);
        }
    }

    /// Gives up the allocations that a new session does not start with: all but the one in use.
    pub(super) fn release_relays(&mut self, now: Timestamp) {
        let kept = self.selected.as_ref().filter(|selected| selected.consent.is_given());
        let kept = kept.map(|selected| self.bases[selected.base].via);
        for relay in 0..self.gatherer.relays.len() {
            if kept != Some(Via::Relay(relay)) {
                self.release_relay(now, relay);
            }
        }
    }

    /// Whether a socket has an allocation at a server, or will soon.
    pub(super) fn has_relay(&self, socket: usize, nth: usize) -> bool {
        let live = |relay: &Relay| !matches!(relay.progress, Progress::Over | Progress::Cut);
        self.gatherer.relays.iter().any(|relay| relay.socket == socket && relay.nth == nth && live(relay))
    }

    /// Cuts off the relays that are reached over a socket that is gone; their bases.
    pub(super) fn cut_relays(&mut self, socket: usize) -> Vec<usize> {
        let relays = self.gatherer.relays.iter_mut().filter(|relay| relay.socket == socket);
        let cut = relays.map(|relay| std::mem::replace(&mut relay.progress, Progress::Cut));
        cut.filter_map(|progress| match progress {
            Progress::Allocated(base) => Some(base),
            _ => None,
        })
        .collect()
    }

    /// Takes what the TURN clients have to send and to tell.
    pub(super) fn take_relayed(&mut self, now: Timestamp) {
        let mut place = 0;
        while let Some(relay) = self.gatherer.relays.get_mut(place) {
            if let Some(event) = relay.client.poll_event() {
                self.take_relay_event(now, place, event);
                continue;
            }
            while let Some(transmit) = relay.client.poll_transmit() {
                if relay.progress != Progress::Cut {
                    self.transmits.push_back(transmit);
                }
            }
            place += 1;
        }
    }

    fn take_relay_event(&mut self, now: Timestamp, place: usize, event: client::Event) {
        let relay = &mut self.gatherer.relays[place];
        match (event, relay.progress) {
            (client::Event::Allocated { relayed, mapped, .. }, Progress::Allocating) => {
                self.take_allocation(now, place, relayed, mapped);
            }
            (client::Event::Failed(failure), Progress::Allocating) => {
                relay.progress = Progress::Over;
                let (socket, nth, mismatches) = (relay.socket, relay.nth, relay.mismatches + 1);
                let why = gather_failure(&failure);
                if why == GatherFailure::Rejected(437) && mismatches < MAX_MISMATCHES {
                    return self.ask_turn(now, socket, nth, mismatches);
                }
                let (base, server) = (self.bases[socket].address, relay.client.server());
                self.events.push_back(Event::GatherFailed { base, server, why });
            }
            (client::Event::Failed(_) | client::Event::Closed, Progress::Allocated(base)) => {
                relay.progress = Progress::Over;
                self.events.push_back(Event::RelayLost { relayed: self.bases[base].address });
                self.lose_base(base);
            }
            (client::Event::PermissionInstalled(peer), Progress::Allocated(base)) => {
                relay.permitted.insert(peer);
                let relayed = self.bases[base].address;
                self.events.push_back(Event::Permission { relayed, peer, granted: true });
            }
            (client::Event::PermissionFailed { peer, .. }, Progress::Allocated(base)) => {
                relay.permitted.remove(&peer);
                let relayed = self.bases[base].address;
                self.events.push_back(Event::Permission { relayed, peer, granted: false });
                self.fail_pairs(|pair, remote| pair == base && remote.ip == peer);
            }
            (client::Event::Redirected { server }, Progress::Allocating) => {
                let (base, from) =
                    (self.bases[relay.socket].address, self.config.turn_servers[relay.nth].address);
                self.events.push_back(Event::Redirected { base, from, to: server });
            }
            (client::Event::PeerError { peer, icmp_type, code, .. }, Progress::Allocated(base))
                if is_hard_on_the_wire(peer.family(), icmp_type, code) =>
            {
                self.fail_unreachable(now, base, peer);
            }
            (client::Event::Received { peer, payload }, Progress::Allocated(base)) => {
                self.handle_packet(now, base, peer, &payload);
            }
            _ => {}
        }
    }

    fn take_allocation(&mut self, now: Timestamp, place: usize, relayed: Endpoint, mapped: Endpoint) {
        let relay = &mut self.gatherer.relays[place];
        let (socket, nth, server) = (relay.socket, relay.nth, relay.client.server());
        relay.progress = Progress::Allocated(self.bases.len());
        let preference = self.bases[socket].preference_of(nth);
        self.bases.push(Base {
            address: relayed,
            via: Via::Relay(place),
            preference,
            freed: false,
            hidden: false,
        });
        // "the Allocate [response] provides the agent with a server-reflexive candidate" too (RFC 8445 section 5.1.1.2).
        self.offer_reflexive(now, socket, mapped, server, self.config.stun_servers.len() + nth);
        self.offer_base(now, self.bases.len() - 1);
    }

    /// A base is gone: pairs that start there fail, and data stops if it went over one.
    pub(super) fn lose_base(&mut self, base: usize) {
        self.bases[base].freed = true;
        self.fail_pairs(|pair, _| pair == base);
        self.lose_selected(base, ConsentLoss::BaseLost);
    }

    /// Fails the pairs whose base and remote address are such.
    fn fail_pairs(&mut self, such: impl Fn(usize, Endpoint) -> bool) {
        for place in 0..self.session.checklist.pairs().len() {
            let pair = self.session.checklist.get(place);
            let remote = self.session.remotes[pair.remote].candidate.address;
            if pair.state != PairState::Failed && such(pair.base, remote) {
                self.session.cancel_checks(place);
                self.session.checklist.untrigger(place);
                self.session.valid.retain(|valid| valid.pair != place);
                self.session.nominating = self.session.nominating.filter(|&nominated| nominated != place);
                self.set_state(place, PairState::Failed);
            }
        }
    }
}

fn gather_failure(failure: &Failure) -> GatherFailure {
    match failure {
        Failure::Timeout => GatherFailure::Timeout,
        Failure::Unreachable => GatherFailure::Unreachable,
        Failure::IntegrityViolated => GatherFailure::Unauthentic,
        Failure::Rejected { code, .. } => GatherFailure::Rejected(*code),
        Failure::Unusable => GatherFailure::Malformed,
    }
}
