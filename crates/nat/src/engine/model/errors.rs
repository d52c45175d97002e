//! ICMP errors about packets that have passed, or that have not.

use natbed_packet::{IcmpError, IcmpErrorKind};

use super::kind::quoted_ends;
use super::reference::Entry;
use super::*;

impl Bench {
    /// Reports an error and sees that it changes nothing.
    pub(super) fn report(&mut self, about: &About, out: bool) {
        let now = self.now();
        let before = self.small.snapshot(now);
        match about {
            About::Entry(place) => {
                let entries = &self.model.entries;
                let Some(entry) = entries.get(place % entries.len().max(1)).cloned() else { return };
                if out {
                    self.report_out(entry.protocol, entry.internal, entry.first);
                } else {
                    self.report_in(&entry);
                }
            }
            About::Flow(from, to, kind) => {
                let flow = (kind.protocol(), internal(*from), kind.remote(remote(*to)));
                let report = if out { Self::report_out } else { Self::report_untranslated };
                report(self, flow.0, flow.1, flow.2);
            }
        }
        assert_eq!(self.small.snapshot(now), before);
    }

    /// An error from `router` about a packet that was last seen as `about`.
    fn error(&mut self, router: IpAddr, about: Packet) -> (Outcome, Datagram, IcmpError) {
        let error = IcmpError { kind: IcmpErrorKind::TimeExceeded, quoted: Quoted::of(&about.datagram()) };
        let sent = Datagram::new(router, about.from.ip, Transport::Icmp(Icmp::Error(error)));
        let (outcome, passed) = self.engines(Packet { out: !about.out, ..about }, &sent);
        if let Outcome::Drop(drop) = outcome {
            assert_eq!(drop.reply, None);
        }
        let Transport::Icmp(Icmp::Error(error)) = passed.transport.clone() else { panic!("an error") };
        (outcome, passed, error)
    }

    fn report_in(&mut self, entry: &Entry) {
        let router = Endpoint::v4(192, 0, 2, 1, 0).ip;
        let kind = Kind::of(entry.protocol);
        let about = Packet { kind, from: entry.external, to: entry.first, out: true, whole: true };
        let (outcome, passed, error) = self.error(router, about);
        let reached = self.model.is_firewall() || self.model.has_reached(entry, entry.first);
        assert_eq!(matches!(outcome, Outcome::Inside(_)), entry.leads() && reached, "{outcome:?}");
        if matches!(outcome, Outcome::Inside(_)) {
            assert_eq!(quoted_ends(&error.quoted, true).0, entry.internal);
            assert_eq!((passed.source, passed.destination), (router, entry.internal.ip));
        }
    }

    /// An error about a packet that went out with its internal source.
    fn report_untranslated(&mut self, protocol: Protocol, internal: Endpoint, remote: Endpoint) {
        let router = Endpoint::v4(192, 0, 2, 1, 0).ip;
        let about = Packet { kind: Kind::of(protocol), from: internal, to: remote, out: true, whole: true };
        let (outcome, passed, error) = self.error(router, about);
        let passes = self.model.exempts(about)
            || self.model.is_firewall() && self.model.place_for(protocol, internal, remote).is_some();
        assert_eq!(matches!(outcome, Outcome::Inside(_)), passes, "{outcome:?}");
        if passes {
            assert_eq!(quoted_ends(&error.quoted, true), (internal, remote));
            assert_eq!((passed.source, passed.destination), (router, internal.ip));
        }
    }

    /// An error about a packet that came in.
    fn report_out(&mut self, protocol: Protocol, internal: Endpoint, remote: Endpoint) {
        if self.model.pool.contains(&remote.ip) {
            return;
        }
        let router = Endpoint::v4(10, 9, 9, 9, 0).ip;
        let about = Packet { kind: Kind::of(protocol), from: remote, to: internal, out: false, whole: true };
        let (outcome, passed, error) = self.error(router, about);
        if self.model.exempts(about) {
            assert_eq!(outcome, Outcome::Outside(Forward::default()));
            assert_eq!(quoted_ends(&error.quoted, false), (remote, internal));
            assert_eq!((passed.source, passed.destination), (router, remote.ip));
            return;
        }
        let externals = self.model.externals_reached(protocol, internal, remote);
        assert_eq!(matches!(outcome, Outcome::Outside(_)), !externals.is_empty(), "{outcome:?}");
        if !externals.is_empty() {
            let (source, external) = quoted_ends(&error.quoted, false);
            assert!(externals.contains(&external) && source == remote, "{external} of {externals:?}");
            let reporter = if self.model.is_firewall() { router } else { external.ip };
            assert_eq!((passed.source, passed.destination), (reporter, remote.ip));
        }
    }
}
