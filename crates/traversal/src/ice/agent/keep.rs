//! Keeping the selected pair alive and consented to (RFC 8445 section 11, RFC 7675).

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::ice::candidate::{CandidateType, priority};
use crate::ice::consent::{Consent, Due};
use crate::ice::event::{ConsentLoss, Event, Ignored, SelectedPair};
use crate::ice::pair::PairAddresses;
use crate::stun::{Builder, Class, Message, Method, TransactionId};

use super::session::Peer;
use super::{Agent, Via};

/// The pair that data goes over. It outlives the session that selected it until the next one has.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) base: usize,
    pub(super) pair: SelectedPair,
    pub(super) peer: Peer,
    pub(super) consent: Consent,
}

impl Selected {
    pub(super) const fn remote(&self) -> Endpoint {
        self.pair.remote.address
    }

    const fn addresses(&self) -> PairAddresses {
        PairAddresses { base: self.pair.base, remote: self.pair.remote.address }
    }
}

impl Agent {
    /// Sends what the selected pair needs at `now`.
    pub(super) fn keep(&mut self, now: Timestamp) {
        while let Some(selected) = &mut self.selected {
            let (base, pair) = (selected.base, selected.addresses());
            match selected.consent.handle_timeout(now, &mut self.rng) {
                None => return,
                Some(Due::Expired) => {
                    let why = ConsentLoss::Expired;
                    return self.events.push_back(Event::ConsentLost { pair, why });
                }
                Some(Due::Keepalive) => {
                    selected.consent.note_sent(now);
                    let id = TransactionId::random(&mut self.rng);
                    Builder::new(&mut self.buffer, Class::Indication, Method::Binding, id).fingerprint();
                    let indication = Bytes::copy_from_slice(&self.buffer);
                    self.transmit(now, base, pair.remote, indication);
                    self.events.push_back(Event::Kept { pair, transaction: None });
                }
                Some(Due::Check) => {
                    let id = TransactionId::random(&mut self.rng);
                    selected.consent.note_sent(now);
                    selected.consent.note_check(id);
                    let peer = selected.peer.clone();
                    let priority =
                        priority(CandidateType::PeerReflexive, self.bases[base].check_preference());
                    let request = self.binding_request(id, priority, false, &peer);
                    self.transmit(now, base, pair.remote, request);
                    self.events.push_back(Event::Kept { pair, transaction: Some(id) });
                }
            }
        }
    }

    /// Takes the response to a consent check; `false` if it is none.
    pub(super) fn handle_consent_response(
        &mut self,
        now: Timestamp,
        response: PairAddresses,
        message: &Message<'_>,
    ) -> bool {
        let id = message.transaction_id();
        let Some(selected) = &mut self.selected else { return false };
        if !selected.consent.is_outstanding(id) {
            return false;
        }
        // A response from elsewhere, or without integrity, is none "from the remote peer's transport address" (RFC 7675
        // section 5.1).
        let pair = selected.addresses();
        if pair != response || message.verify_integrity(&selected.peer.key).is_err() {
            self.ignore(response, Ignored::Unauthenticated);
        } else if message.class() == Class::Success {
            selected.consent.renew(now, id);
            self.events.push_back(Event::ConsentRenewed { pair });
        } else if message.error_code().is_some_and(|error| error.code == 403) {
            selected.consent.revoke();
            self.events.push_back(Event::ConsentLost { pair, why: ConsentLoss::Revoked });
        }
        true
    }

    /// Tells when the candidates of the selected pair have become known better.
    pub(super) fn refresh_selected(&mut self) {
        let Some(selected) = &mut self.selected else { return };
        let mut pair = selected.pair;
        let locals = self.session.locals.iter().filter(|local| local.base == selected.base);
        if let Some(local) = locals.map(|local| local.candidate).find(|c| c.address == pair.local.address) {
            pair.local = local;
        }
        let remotes = self.session.remotes.iter().filter(|remote| remote.signalled);
        if let Some(remote) =
            remotes.map(|remote| remote.candidate).find(|c| c.address == pair.remote.address)
        {
            pair.remote = remote;
        }
        pair.relayed = matches!(self.bases[selected.base].via, Via::Relay(_))
            || pair.remote.kind == CandidateType::Relayed;
        if pair != selected.pair {
            selected.pair = pair;
            self.events.push_back(Event::SelectedUpdated(Box::new(pair)));
        }
    }

    /// A base is gone, and the selected pair with it if it starts there.
    pub(super) fn lose_selected(&mut self, base: usize, why: ConsentLoss) {
        if let Some(selected) = self.selected.as_mut().filter(|selected| selected.base == base)
            && selected.consent.is_given()
        {
            selected.consent.revoke();
            let pair = selected.addresses();
            self.events.push_back(Event::ConsentLost { pair, why });
        }
    }
}
