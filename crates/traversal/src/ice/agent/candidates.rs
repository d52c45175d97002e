//! Local and remote candidates: told, taken and learnt.

use natbed_packet::{Endpoint, Family, Timestamp};

use crate::ice::candidate::{COMPONENT, Candidate, CandidateType, priority};
use crate::ice::config::Addresses;
use crate::ice::event::{Event, GatheringState, RemoteOutcome, Side};
use crate::ice::pair::PairAddresses;

use super::session::{Local, Remote};
use super::{Agent, Base, Via};

/// More remote candidates than this are not remembered, so that a peer cannot fill the memory.
const MAX_REMOTES: usize = 200;

impl Agent {
    /// Adds the sockets of all the host's interfaces, an interface each, the one with the default route first. The
    /// families are given their places by RFC 8421 section 4, and which interfaces count is up to [`Addresses`].
    pub fn add_interfaces(&mut self, now: Timestamp, interfaces: &[impl AsRef<[Endpoint]>]) {
        for base in interleave(self.routes(interfaces)) {
            self.add_local(now, base);
        }
    }

    /// The sockets that may be used: all, or for each family those of the first interface that has it.
    fn routes(&self, interfaces: &[impl AsRef<[Endpoint]>]) -> Vec<Endpoint> {
        let interfaces = interfaces.iter().map(AsRef::as_ref);
        let all = interfaces.clone().flatten().copied();
        if self.config.addresses == Addresses::All {
            return all.collect();
        }
        let is_default = |base: &Endpoint| {
            let has_family = |other: &Endpoint| other.family() == base.family();
            let default = interfaces.clone().find(|interface| interface.iter().any(has_family));
            default.is_some_and(|interface| interface.contains(base))
        };
        all.filter(is_default).collect()
    }

    /// Adds a socket of the host, whose address is a host candidate and the base of others. Those added first are
    /// preferred (RFC 8445 section 5.1.2.1). After [`Event::EndOfCandidates`] it counts from the next restart on (RFC 8838
    /// section 13).
    pub fn add_local(&mut self, now: Timestamp, base: Endpoint) {
        if self.base_at(base).is_some() {
            return;
        }
        let preference = if self.config.lite { self.lite_preference(base) } else { self.free_preference() };
        self.bases.push(Base { address: base, via: Via::Socket, preference, freed: false, hidden: false });
        if self.session.gathering != GatheringState::Complete {
            let place = self.bases.len() - 1;
            self.offer_base(now, place);
            if self.session.gathering == GatheringState::Gathering {
                self.ask_servers(place);
            }
        }
        self.settle(now);
    }

    /// Takes away a socket that the host has lost, as when its address changes. What went over it is lost too.
    pub fn remove_local(&mut self, now: Timestamp, base: Endpoint) {
        let Some(place) = self.base_at(base) else { return };
        self.forget_socket(place);
        for lost in self.cut_relays(place).into_iter().chain([place]) {
            self.lose_base(lost);
        }
        self.bases[place].via = Via::Gone;
        self.settle(now);
    }

    /// Takes a candidate that the peer signalled. If it was known as peer-reflexive, it takes the signalled type and
    /// priority.
    pub fn add_remote_candidate(&mut self, now: Timestamp, candidate: Candidate) {
        let (outcome, place) = self.take_remote_candidate(candidate);
        self.events.push_back(Event::RemoteCandidate { candidate, outcome });
        if let Some(place) = place {
            if outcome == RemoteOutcome::Named {
                self.recompute_priorities();
            }
            self.pair_remote(now, place);
            self.refresh_selected();
        }
        self.settle(now);
    }

    /// The peer has signalled all its candidates (RFC 8838 section 14).
    pub fn end_of_remote_candidates(&mut self, now: Timestamp) {
        self.session.remotes_complete = !self.peer_is_behind();
        self.settle(now);
    }

    /// Whether what the peer signals now belongs to a session that is over here.
    fn peer_is_behind(&self) -> bool {
        self.peer_sessions > 0 && self.peer_sessions < self.sessions
    }

    /// The highest local preference that no socket has. The high octet tells the sockets apart, the low one the servers.
    fn free_preference(&self) -> u16 {
        let sockets = self.bases.iter().filter(|base| base.via == Via::Socket);
        let taken = |preference: u16| sockets.clone().any(|base| base.preference == preference);
        (1..=u8::MAX)
            .rev()
            .map(|octet| u16::from_be_bytes([octet, 0xFF]))
            .find(|&free| !taken(free))
            .unwrap_or(0xFF)
    }

    /// What becomes of a signalled candidate, and its place if that is new or better known.
    fn take_remote_candidate(&mut self, candidate: Candidate) -> (RemoteOutcome, Option<usize>) {
        let usable = candidate.component == COMPONENT && is_usable(candidate.address);
        if !usable || self.peer_is_behind() {
            return (RemoteOutcome::Unusable, None);
        }
        let known = self.session.remote_at(candidate.address);
        let remotes = &mut self.session.remotes;
        let signalled = Remote { candidate, signalled: true };
        match known {
            Some(place) if remotes[place].signalled => (RemoteOutcome::Duplicate, None),
            Some(place) => {
                remotes[place] = signalled;
                (RemoteOutcome::Named, Some(place))
            }
            None if remotes.len() >= MAX_REMOTES => (RemoteOutcome::Discarded, None),
            None => {
                remotes.push(signalled);
                (RemoteOutcome::Added, Some(remotes.len() - 1))
            }
        }
    }

    /// The remote candidate at an address that a check came from, learnt if it is new (RFC 8445 section 7.3.1.3).
    /// `None` when there are too many.
    pub(super) fn learn_remote(&mut self, address: Endpoint, priority: u32, base: usize) -> Option<usize> {
        if let Some(place) = self.session.remote_at(address) {
            return Some(place);
        }
        let session = &mut self.session;
        if session.remotes.len() >= MAX_REMOTES {
            return None;
        }
        let candidate = Candidate {
            foundation: session.arbitrary_foundation(),
            component: COMPONENT,
            priority,
            address,
            kind: CandidateType::PeerReflexive,
            related: None,
        };
        session.remotes.push(Remote { candidate, signalled: false });
        let pair = PairAddresses { base: self.bases[base].address, remote: address };
        self.events.push_back(Event::PeerReflexive { side: Side::Remote, candidate, pair });
        Some(self.session.remotes.len() - 1)
    }

    /// The local candidate with the address that a response shows, learnt if it is new (RFC 8445 section 7.2.5.3.1).
    pub(super) fn learn_local(&mut self, mapped: Endpoint, priority: u32, pair: usize) -> usize {
        let base = self.session.checklist.get(pair).base;
        let known = |local: &Local| local.candidate.address == mapped && local.base == base;
        let locals = &self.session.locals;
        let place = locals.iter().position(known);
        if let Some(place) = place.or_else(|| locals.iter().position(|l| l.candidate.address == mapped)) {
            return place;
        }
        let Base { address, .. } = self.bases[base];
        let candidate = Candidate {
            foundation: self.gatherer.foundation(CandidateType::PeerReflexive, address, None),
            component: COMPONENT,
            priority,
            address: mapped,
            kind: CandidateType::PeerReflexive,
            related: Some(address),
        };
        self.session.locals.push(Local { candidate, base });
        let pair = self.addresses_of(pair);
        self.events.push_back(Event::PeerReflexive { side: Side::Local, candidate, pair });
        self.session.locals.len() - 1
    }

    /// Offers every base to the peer again, in a new session.
    pub(super) fn offer_bases(&mut self, now: Timestamp) {
        for place in 0..self.bases.len() {
            self.offer_base(now, place);
        }
    }

    /// Tells of the candidate that a base itself is, and pairs it.
    pub(super) fn offer_base(&mut self, now: Timestamp, place: usize) {
        let Base { address, via, preference, .. } = self.bases[place];
        let (kind, server, related) = match via {
            Via::Socket => (CandidateType::Host, None, None),
            Via::Relay(relay) => match self.gatherer.allocation(relay) {
                Some((server, mapped)) => (CandidateType::Relayed, Some(server), Some(mapped)),
                None => return,
            },
            Via::Gone => return,
        };
        self.bases[place].freed = false;
        self.bases[place].hidden = via == Via::Socket && self.config.addresses == Addresses::DefaultRoute;
        // Where the host keeps its addresses to itself, so does it the address that only the relay knows it by.
        let related = related.filter(|_| !self.config.relays_only());
        let foundation = self.gatherer.foundation(kind, address, server);
        let priority = priority(kind, preference);
        let candidate = Candidate { foundation, component: COMPONENT, priority, address, kind, related };
        self.session.locals.push(Local { candidate, base: place });
        if self.is_used(place) && !self.bases[place].hidden {
            // Told before it is paired: "a Trickle ICE agent MUST NOT pair a local candidate until it has been trickled"
            // (RFC 8838 section 10).
            self.events.push_back(Event::LocalCandidate { candidate, server });
            self.pair_base(now, place);
        }
    }

    /// Takes the mapped address that `server` saw of a base. Redundant ones are dropped (RFC 8445 section 5.1.3). A base
    /// that is not told itself is paired from the first of them on.
    pub(super) fn offer_reflexive(
        &mut self,
        now: Timestamp,
        base: usize,
        mapped: Endpoint,
        server: Endpoint,
        nth: usize,
    ) {
        if self.config.relays_only() {
            return;
        }
        let hidden = std::mem::replace(&mut self.bases[base].hidden, false);
        let address = self.bases[base].address;
        let kind = CandidateType::ServerReflexive;
        let preference = self.bases[base].preference_of(nth);
        let candidate = Candidate {
            foundation: self.gatherer.foundation(kind, address, Some(server)),
            component: COMPONENT,
            priority: priority(kind, preference),
            address: mapped,
            kind,
            related: Some(address).filter(|_| self.config.addresses != Addresses::DefaultRoute),
        };
        let mut same = self.session.locals.iter_mut();
        match same.find(|local| local.candidate.address == mapped && local.base == base) {
            // A check has shown it before the server did: it is one candidate, whichever came first.
            Some(known) if known.candidate.kind == CandidateType::PeerReflexive => {
                known.candidate = candidate;
                self.recompute_priorities();
                self.refresh_selected();
            }
            // There is no NAT, so the address is no secret.
            Some(&mut Local { candidate, .. }) if hidden => {
                self.events.push_back(Event::LocalCandidate { candidate, server: None });
                return self.pair_base(now, base);
            }
            Some(_) => return,
            None => self.session.locals.push(Local { candidate, base }),
        }
        self.events.push_back(Event::LocalCandidate { candidate, server: Some(server) });
        if hidden {
            self.pair_base(now, base);
        }
    }

    /// Whether checks go from a base and are answered at it.
    pub(super) fn is_used(&self, base: usize) -> bool {
        let Base { via, freed, .. } = self.bases[base];
        !(freed || self.config.relays_only() && via == Via::Socket)
    }
}

/// Sockets in the order of their local preference: some of IPv6 for a head start, then one of each family in turn.
/// "Hi = (N_4 + N_6) / N_4, where Hi = head start before intermingling starts" (RFC 8421 section 4).
fn interleave(bases: Vec<Endpoint>) -> Vec<Endpoint> {
    let (v4, v6): (Vec<_>, Vec<_>) = bases.into_iter().partition(|base| base.family() == Family::V4);
    let head_start = (v4.len() + v6.len()).checked_div(v4.len()).unwrap_or(usize::MAX).min(v6.len());
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let mut order: Vec<_> = v6.by_ref().take(head_start).collect();
    loop {
        let round = [v4.next(), v6.next()];
        if round == [None, None] {
            return order;
        }
        order.extend(round.into_iter().flatten());
    }
}

/// Whether an address can be sent to. 0.0.0.0 or :: with port 9 means that there is none yet (RFC 8839 section 4.3.2).
fn is_usable(address: Endpoint) -> bool {
    !address.ip.is_unspecified() && !address.ip.is_multicast() && address.port != 0
}
