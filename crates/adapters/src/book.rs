//! The candidates that are known, and which of them a pair of addresses is.

use natbed_packet::Endpoint;
use natbed_traversal::ice::{Candidate, CandidateType, Foundation, SelectedPair, priority};

/// The candidates of both sides.
#[derive(Debug, Default)]
pub(crate) struct Book {
    locals: Vec<(Candidate, Endpoint)>,
    remotes: Vec<Candidate>,
}

impl Book {
    pub(crate) fn add_local(&mut self, candidate: Candidate, base: Endpoint) {
        self.locals.push((candidate, base));
    }

    /// Whether `candidate` is new.
    pub(crate) fn add_remote(&mut self, candidate: Candidate) -> bool {
        let new = self.remotes.iter().all(|known| known.address != candidate.address);
        if new {
            self.remotes.push(candidate);
        }
        new
    }

    /// The other side begins a new session.
    pub(crate) fn forget_remotes(&mut self) {
        self.remotes.clear();
    }

    /// Whether `address` is a relayed address of this side's.
    pub(crate) fn is_own_relay(&self, address: Endpoint) -> bool {
        self.locals.iter().any(|(own, _)| own.kind == CandidateType::Relayed && own.address == address)
    }

    /// Whether `address` is that of a candidate of this side's.
    pub(crate) fn is_known_local(&self, address: Endpoint) -> bool {
        self.locals.iter().any(|(own, _)| own.address == address)
    }

    /// Whether `address` is that of a candidate of the other side's.
    pub(crate) fn is_known_remote(&self, address: Endpoint) -> bool {
        self.remotes.iter().any(|known| known.address == address)
    }

    /// The pair from `base` to `remote`, whose checks are seen from `mapped` if that is known. Where no candidate fits, it
    /// is peer-reflexive (RFC 8445 sections 7.2.5.3.1 and 7.3.1.3).
    pub(crate) fn pair(&self, base: Endpoint, remote: Endpoint, mapped: Option<Endpoint>) -> SelectedPair {
        let seen = mapped.unwrap_or(base);
        let local = self.locals.iter().find(|(own, at)| own.address == seen && (*at == base || seen == base));
        let local = local.map_or_else(|| reflexive(seen, Some(base)), |(own, _)| *own);
        let known = self.remotes.iter().find(|known| known.address == remote);
        let remote = known.copied().unwrap_or_else(|| reflexive(remote, None));
        let relayed = self.is_own_relay(base) || remote.kind == CandidateType::Relayed;
        SelectedPair { local, remote, base, relayed }
    }
}

/// A candidate that was learnt from a check.
pub(crate) fn reflexive(address: Endpoint, base: Option<Endpoint>) -> Candidate {
    Candidate {
        foundation: Foundation::number(0),
        component: 1,
        priority: priority(CandidateType::PeerReflexive, u16::MAX),
        address,
        kind: CandidateType::PeerReflexive,
        related: base,
    }
}
