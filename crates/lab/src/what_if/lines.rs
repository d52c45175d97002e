//! Changes as the lines that say so in a scenario file.

use std::fmt::Write;

use super::change::{Change, Setting, apply, server_name};
use crate::scenario::show::{
    axes, event, header, ice_fields, inline, link_fields, list, print_instant, quote, quoted_duration,
};
use crate::scenario::{HostId, LinkConfig, NatId, NodeId, Scenario, ServerKind};

/// The tables of the file that `changes` to connection `index` of `scenario` touch, with the keys that are new in them.
pub(super) fn lines(scenario: &Scenario, index: usize, changes: &[Change]) -> String {
    let changed = apply(scenario, index, changes);
    let mut tables = Tables::default();
    for (at, (before, after)) in scenario.nats.iter().zip(&changed.nats).enumerate() {
        if before.behavior != after.behavior {
            tables.nat(scenario, &changed, NatId::at(at));
        }
    }
    for change in changes {
        match &change.setting {
            // Done above, all axes of a NAT together.
            Setting::Nat(..) | Setting::Box(..) => {}
            Setting::Link(node, _) => tables.link(&changed, *node),
            Setting::Policy(host, _)
            | Setting::FullAgent(host)
            | Setting::EveryAddress(host)
            | Setting::NoIcmpErrors(host)
            | Setting::MaxPairs(host, _)
            | Setting::EveryServer(host)
            | Setting::EveryInterface(host)
            | Setting::RelayWait(host, _)
            | Setting::Retransmission(host, _) => tables.ice(&changed, *host),
            Setting::Within(within) => tables.connect(scenario, index, "within", quoted_duration(*within)),
            Setting::Start(start) => tables.connect(scenario, index, "start", quote(&print_instant(*start))),
            Setting::OtherSideStarts => {
                let connect = &changed.connects[index];
                tables.connect(scenario, index, "from", quote(&changed[connect.from].name));
                tables.connect(scenario, index, "to", quote(&changed[connect.to].name));
            }
            Setting::Signaling(delay) => tables.add("[signaling]".into(), "delay", quoted_duration(*delay)),
            Setting::StunServer => tables.server(scenario, &changed, index, "stun"),
            Setting::TurnServer => tables.server(scenario, &changed, index, "turn"),
            Setting::WithoutFault(fault) => {
                let text = event(scenario, &scenario.events[*fault]);
                let text: String = text.lines().map(|line| format!("# {line}\n")).collect();
                tables.list.push((format!("# without this:\n{}", text.trim_end()), Vec::new()));
            }
        }
    }
    tables.text()
}

/// Tables by their headers, each with its keys and values.
#[derive(Default)]
struct Tables {
    list: Vec<(String, Vec<(&'static str, String)>)>,
}

impl Tables {
    /// Sets a key, in the table that has this header.
    fn add(&mut self, header: String, key: &'static str, value: String) {
        let known = self.list.iter().position(|(known, _)| *known == header);
        let at = known.unwrap_or_else(|| {
            self.list.push((header, Vec::new()));
            self.list.len() - 1
        });
        let keys = &mut self.list[at].1;
        keys.retain(|(known, _)| *known != key);
        keys.push((key, value));
    }

    /// A NAT's new type: a preset, or a nat-type with what is otherwise.
    fn nat(&mut self, scenario: &Scenario, changed: &Scenario, id: NatId) {
        let (before, after) = (&scenario[id], &changed[id]);
        if natbed_nat::presets::lookup(&after.type_name).is_none() {
            let table = header("nat-type", &after.type_name);
            self.add(table.clone(), "base", quote(&before.type_name));
            let was = axes(&before.behavior);
            for (key, value) in axes(&after.behavior) {
                if key != "base" && !was.contains(&(key, value.clone())) {
                    self.add(table.clone(), key, value);
                }
            }
        }
        self.add(header("nat", &after.name), "type", quote(&after.type_name));
    }

    /// A node's whole link, but for what is usual.
    fn link(&mut self, changed: &Scenario, node: NodeId) {
        let (family, link) = match node {
            NodeId::Nat(id) => ("nat", &changed[id].link),
            NodeId::Host(id) => ("host", &changed[id].link),
            NodeId::Server(id) => match changed[id].kind {
                ServerKind::Stun => ("stun", &changed[id].link),
                ServerKind::Turn { .. } => ("turn", &changed[id].link),
            },
        };
        let usual = link_fields(&LinkConfig::default());
        let mut fields = link_fields(link);
        fields.retain(|field| !usual.contains(field));
        self.add(header(family, changed.node_name(node)), "link", inline(&fields));
    }

    /// A host's ICE settings, but for what is usual.
    fn ice(&mut self, changed: &Scenario, host: HostId) {
        let host = &changed[host];
        let usual = [
            ("servers", list(changed.servers.iter().map(|server| server.name.clone()))),
            ("policy", quote("all")),
            ("relay-wait", quote("2 s")),
            ("rto", quote("500 ms")),
            ("interfaces", quote("all")),
            ("addresses", quote("all")),
            ("lite", "false".to_owned()),
            ("icmp-errors", "false".to_owned()),
            ("max-pairs", "100".to_owned()),
        ];
        let mut fields = ice_fields(changed, host);
        fields.retain(|field| !usual.contains(field));
        self.add(header("host", &host.name), "ice", inline(&fields));
    }

    /// A server more, and the sides that do not ask every server of the file.
    fn server(&mut self, scenario: &Scenario, changed: &Scenario, index: usize, family: &str) {
        self.list.push((header(family, &server_name(scenario, family)), Vec::new()));
        let connect = &changed.connects[index];
        for host in [connect.from, connect.to] {
            if changed[host].ice.servers.len() < changed.servers.len() {
                self.ice(changed, host);
            }
        }
    }

    /// A key of the connection.
    fn connect(&mut self, scenario: &Scenario, index: usize, key: &'static str, value: String) {
        let connect = &scenario.connects[index];
        let (from, to) = (&scenario[connect.from].name, &scenario[connect.to].name);
        let header = format!("[[connect]] # {} to {}", quote(from), quote(to));
        self.add(header, key, value);
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (header, keys) in &self.list {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = writeln!(out, "{header}");
            for (key, value) in keys {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        out
    }
}
