//! Scenarios at random, as text: what fails is a file that fails.

use std::fmt::{self, Write};

use natbed_nat::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnConflict, ReplyMapping, Unsolicited,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Two hosts and every NAT between them and the internet.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    /// NATs that both hosts are behind, outermost first.
    pub(crate) shared: Vec<Middlebox>,
    pub(crate) sides: [Side; 2],
    /// Which of the sides initiates.
    pub(crate) initiator: usize,
    pub(crate) start: u32,
    pub(crate) signaling: u32,
    pub(crate) relay_wait: &'static str,
    pub(crate) hold: &'static str,
    /// `[[event]]` tables.
    pub(crate) events: String,
}

/// A host with the NATs of its own, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) nats: Vec<Middlebox>,
    pub(crate) link: String,
    pub(crate) servers: &'static str,
}

/// A NAT type of its own and its uplink.
#[derive(Clone, Debug)]
pub(crate) struct Middlebox {
    pub(crate) base: &'static str,
    pub(crate) axes: Vec<(&'static str, String)>,
    pub(crate) link: String,
}

impl Case {
    /// The case with the other side as initiator.
    pub(crate) fn swapped(&self) -> Self {
        Self { initiator: 1 - self.initiator, ..self.clone() }
    }

    /// The scenario file.
    pub(crate) fn text(&self) -> String {
        let Self { seed, signaling, start, hold, .. } = self;
        let mut text = format!(
            "format = 1\nname = \"generated\"\nseed = {seed}\n\n[signaling]\ndelay = \"{signaling} ms\"\n\n\
             [stun.stun1]\n[turn.turn1]\n"
        );
        let mut outer = None;
        for (index, middlebox) in self.shared.iter().enumerate() {
            outer = Some(middlebox.write(&mut text, format!("shared{index}"), outer));
        }
        for (host, side) in ["alice", "bob"].into_iter().zip(&self.sides) {
            let mut outer = outer.clone();
            for (index, middlebox) in side.nats.iter().enumerate() {
                outer = Some(middlebox.write(&mut text, format!("{host}{index}"), outer));
            }
            let _ = write!(text, "\n[host.{host}]\n{}", behind(outer));
            let Side { link, servers, .. } = side;
            let relay_wait = self.relay_wait;
            let _ = writeln!(
                text,
                "link = {link}\nice = {{ servers = [{servers}], relay-wait = \"{relay_wait}\" }}"
            );
        }
        let (from, to) = if self.initiator == 0 { ("alice", "bob") } else { ("bob", "alice") };
        let _ = writeln!(
            text,
            "\n[[connect]]\nfrom = \"{from}\"\nto = \"{to}\"\nstart = \"{start} ms\"\nwithin = \"2 min\"\n\
             hold = \"{hold}\""
        );
        text + &self.events
    }
}

impl Middlebox {
    fn write(&self, text: &mut String, name: String, outer: Option<String>) -> String {
        let Self { base, axes, link } = self;
        let _ = write!(text, "\n[nat-type.{name}-type]\nbase = \"{base}\"\n");
        for (axis, value) in axes {
            let _ = writeln!(text, "{axis} = {value}");
        }
        let _ = write!(text, "\n[nat.{name}]\ntype = \"{name}-type\"\n{}link = {link}\n", behind(outer));
        name
    }
}

fn behind(outer: Option<String>) -> String {
    outer.map(|outer| format!("behind = \"{outer}\"\n")).unwrap_or_default()
}

impl fmt::Debug for Case {
    /// The file, and how to run it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "save this as case.toml and ask `natbed explain case.toml`:\n\n{}", self.text())
    }
}

/// What links of a case are like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Delay and jitter.
    Sound,
    /// They lose up to one in twenty packets too, so that a path through four of them loses up to one in five.
    Lossy,
    /// Everything that a link can do to a packet.
    Bad,
}

fn link(links: Links) -> BoxedStrategy<String> {
    let sound = (0..=60_u32, 0..=20_u32).prop_map(|(delay, jitter)| {
        format!("delay = \"{delay} ms\", jitter = \"{}.5 ms\"", jitter.min(delay))
    });
    let text = match links {
        Links::Sound => sound.boxed(),
        Links::Lossy => {
            (sound, 0..=50_u32).prop_map(|(sound, loss)| format!("{sound}, loss = 0.{loss:03}")).boxed()
        }
        Links::Bad => {
            let bad = (0..300_u32, 0..300_u32, 0..300_u32, 64..2000_u32, 200..4000_u32, 100..1500_u32);
            (sound, bad)
                .prop_map(|(sound, (loss, duplicate, reorder, rate, queue, mtu))| {
                    format!(
                        "{sound}, loss = 0.{loss:03}, duplicate = 0.{duplicate:03}, reorder = 0.{reorder:03}, \
                         rate = \"{rate} kbit/s\", queue = \"{queue} B\", mtu = {mtu}"
                    )
                })
                .boxed()
        }
    };
    text.prop_map(|fields| format!("{{ {fields} }}")).boxed()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A NAT that translates, by all axes that the oracle knows. Overloaded ports are only for a NAT whose inside holds one
/// host: the oracle assumes that no two preserved ports collide.
fn translating(alone: bool) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let axes = (
        select(Mapping::NAMES),
        select(Filtering::NAMES),
        select(FilterScope::NAMES),
        select(ReplyMapping::NAMES),
        select(Hairpinning::NAMES),
        select(&["preserve", "sequential", "random"][..]),
        select(OnConflict::NAMES),
        select(Unsolicited::NAMES),
        any::<bool>(),
    );
    axes.prop_map(move |axes| {
        let (mapping, filtering, scope, reply, hairpinning, ports, conflict, unsolicited, overload) = axes;
        let overloads = alone && overload && ports == "preserve" && mapping != Mapping::NAMES[0];
        vec![
            ("mapping", quoted(mapping)),
            ("filtering", quoted(filtering)),
            ("filter-scope", quoted(scope)),
            ("reply-mapping", quoted(reply)),
            ("hairpinning", quoted(hairpinning)),
            ("ports", quoted(ports)),
            ("on-conflict", quoted(conflict)),
            ("unsolicited", quoted(unsolicited)),
            ("port-overloading", overloads.to_string()),
        ]
    })
}

fn filtering() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    (select(Filtering::NAMES), select(FilterScope::NAMES)).prop_map(|(filtering, scope)| {
        vec![("filtering", quoted(filtering)), ("filter-scope", quoted(scope))]
    })
}

/// What stands between inside and outside; `alone` if it serves one host.
pub(crate) fn middlebox(links: Links, alone: bool) -> impl Strategy<Value = Middlebox> {
    let kind = prop_oneof![
        12 => translating(alone).prop_map(|axes| ("port-restricted", axes)),
        2 => filtering().prop_map(|axes| ("firewall", axes)),
        1 => Just(("none", Vec::new())),
        1 => Just(("static", Vec::new())),
        1 => Just(("udp-blocked", Vec::new())),
    ];
    (kind, link(links)).prop_map(|((base, axes), link)| Middlebox { base, axes, link })
}

/// A side behind up to `depth` NATs, its servers one in four times not both.
fn side(links: Links, depth: usize) -> impl Strategy<Value = Side> {
    let servers = prop_oneof![
        9 => Just("\"stun1\", \"turn1\""),
        1 => Just("\"stun1\""),
        1 => Just("\"turn1\""),
        1 => Just(""),
    ];
    let nats = prop::collection::vec(middlebox(links, true), 0..=depth);
    (nats, link(links), servers).prop_map(|(nats, link, servers)| Side { nats, link, servers })
}

/// Two hosts, with up to `shared` NATs around both and up to `depth` around each.
pub(crate) fn case(links: Links, shared: usize, depth: usize) -> impl Strategy<Value = Case> {
    let shared = prop::collection::vec(middlebox(links, false), 0..=shared);
    let sides = [side(links, depth), side(links, depth)];
    let numbers = (0..1_000_000_u64, 0..2_usize, 0..2000_u32, 0..500_u32);
    let case =
        (shared, sides, numbers).prop_map(|(shared, sides, (seed, initiator, start, signaling))| Case {
            seed,
            shared,
            sides,
            initiator,
            start,
            signaling,
            relay_wait: "2 s",
            hold: "0 s",
            events: String::new(),
        });
    case.prop_map(without_moved_sessions)
}

/// Takes the one known race out of a case. A NAT around both that turns packets around with their internal source shows
/// a peer under two addresses, so that its answers come in through two mappings of a NAT with `inbound-session`. The
/// first to arrive moves the flow, perhaps after the other pair has succeeded, which nobody checks again
/// (RFC 8445 section 7.3.1.4). A second layer then gives the flow a port that the peer never hears of.
fn without_moved_sessions(mut case: Case) -> Case {
    let is = |middlebox: &Middlebox, text: &str| middlebox.axes.iter().any(|(_, value)| value == text);
    if case.shared.iter().any(|middlebox| is(middlebox, "\"internal-source\"")) {
        let layered = case.sides.iter_mut().filter(|side| side.nats.len() > 1);
        for (axis, value) in layered.flat_map(|side| &mut side.nats).flat_map(|nat| &mut nat.axes) {
            if *axis == "reply-mapping" {
                *value = quoted("outbound");
            }
        }
    }
    case
}

/// Faults of every kind on a case's hosts, NATs and servers.
pub(crate) fn with_faults(cases: impl Strategy<Value = Case>) -> impl Strategy<Value = Case> {
    let fault = (0..6_usize, 0..8_usize, 0..20_000_u32);
    (cases, prop::collection::vec(fault, 0..6)).prop_map(|(mut case, faults)| {
        let nats: Vec<String> = case.nat_names();
        for (kind, node, at) in faults {
            let any = nats.iter().map(String::as_str).chain(["alice", "bob", "stun1", "turn1"]);
            let any = any.cycle().nth(node).unwrap_or_default();
            let nat = nats.iter().cycle().nth(node);
            let server = if node % 2 == 0 { "stun1" } else { "turn1" };
            let action = match (kind, nat) {
                (0, Some(nat)) => format!("reboot-nat = \"{nat}\""),
                (1, _) => format!("link-down = \"{any}\""),
                (2, _) => format!("link-up = \"{any}\""),
                (3, _) => format!("set-link = {{ node = \"{any}\", loss = 0.4, duplicate = 0.4 }}"),
                (4, _) => format!("stop-server = \"{server}\""),
                _ => format!("start-server = \"{server}\""),
            };
            let _ = write!(case.events, "\n[[event]]\nat = \"{at} ms\"\ndo = {{ {action} }}\n");
        }
        case
    })
}

impl Case {
    fn nat_names(&self) -> Vec<String> {
        let shared = (0..self.shared.len()).map(|index| format!("shared{index}"));
        let own = ["alice", "bob"].into_iter().zip(&self.sides);
        let own = own.flat_map(|(host, side)| (0..side.nats.len()).map(move |at| format!("{host}{at}")));
        shared.chain(own).collect()
    }
}
