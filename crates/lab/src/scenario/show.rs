//! A resolved scenario as TOML.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::{Kind, Value};
use natbed_nat::presets;
use natbed_packet::Timestamp;

use super::leaf::{RFC8445, UNLIMITED};
use super::resolve::ALL_INTERFACES;
use super::resolved::{
    Action, Attachment, Connect, Event, Host, Lan, LinkConfig, Nat, Network, NodeId, Retransmission,
    Scenario, Send, Server, ServerKind, Target,
};
use super::wiring::{DEFAULT_TYPE, INTERNET};
use crate::quantity::{print_duration, print_rate, print_size};

/// `scenario` as the text of a file.
pub(super) fn text(scenario: &Scenario) -> String {
    let mut page = Page { out: String::new(), scenario, types: type_names(scenario) };
    page.head();
    scenario.networks.iter().for_each(|network| page.network(network));
    page.nat_types();
    scenario.nats.iter().for_each(|nat| page.nat(nat));
    scenario.hosts.iter().for_each(|host| page.host(host));
    scenario.servers.iter().for_each(|server| page.server(server));
    scenario.connects.iter().for_each(|connect| page.connect(connect));
    scenario.sends.iter().for_each(|send| page.send(send));
    scenario.events.iter().for_each(|event| page.event(event));
    page.out
}

/// One fault of `scenario` as the lines of a file.
pub(crate) fn event(scenario: &Scenario, event: &Event) -> String {
    let mut page = Page { out: String::new(), scenario, types: BTreeMap::new() };
    page.event(event);
    page.out.trim_start().to_owned()
}

/// The ICE settings of a host of `scenario`, key and value.
pub(crate) fn ice_fields(scenario: &Scenario, host: &Host) -> Vec<(&'static str, String)> {
    Page { out: String::new(), scenario, types: BTreeMap::new() }.ice(host)
}

/// The text so far.
struct Page<'s> {
    out: String,
    scenario: &'s Scenario,
    types: BTreeMap<&'s str, String>,
}

impl<'s> Page<'s> {
    fn table(&mut self, header: &str) {
        let _ = writeln!(self.out, "\n{header}");
    }

    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.out, "{key} = {value}");
    }

    fn head(&mut self) {
        self.line("format", "1");
        for (key, text) in [("name", &self.scenario.name), ("about", &self.scenario.about)] {
            if !text.is_empty() {
                self.line(key, &quote(text));
            }
        }
        self.line("seed", &self.scenario.seed.to_string());
        self.table("[signaling]");
        self.line("delay", &quoted_duration(self.scenario.signaling_delay));
    }

    fn network(&mut self, network: &Network) {
        self.table(&header("network", &network.name));
        let ipv6 = network.ipv6.map(|lan| lan.prefix.to_string());
        self.line("subnet", &list([network.subnet.to_string()].into_iter().chain(ipv6)));
        if let Some(nat) = network.behind {
            self.line("behind", &quote(&self.scenario[nat].name));
        }
    }

    fn nat_types(&mut self) {
        let mut written = Vec::new();
        for nat in &self.scenario.nats {
            if !written.contains(&&nat.type_name) {
                written.push(&nat.type_name);
                self.nat_type(nat);
            }
        }
    }

    fn nat_type(&mut self, nat: &'s Nat) {
        let name = self.types[nat.type_name.as_str()].clone();
        self.table(&header("nat-type", &name));
        for (key, value) in axes(&nat.behavior) {
            self.line(key, &value);
        }
    }

    fn nat(&mut self, nat: &Nat) {
        self.table(&header("nat", &nat.name));
        let type_name = quote(&self.types[nat.type_name.as_str()]);
        self.line("type", &type_name);
        if let Attachment::Nat(outer) = nat.outside {
            self.line("behind", &quote(&self.scenario[outer].name));
        }
        let lans: Vec<Lan> = [Some(nat.lan), nat.lan_ipv6].into_iter().flatten().collect();
        self.line("lan", &list(lans.iter().map(|lan| lan.prefix.to_string())));
        self.line("address", &list(nat.addresses.iter().map(ToString::to_string)));
        self.line("ipv6", &quote(nat.ipv6.as_str()));
        self.link(&nat.link);
    }

    fn host(&mut self, host: &Host) {
        self.table(&header("host", &host.name));
        let legs: Vec<Attachment> = host.interfaces.iter().map(|interface| interface.attachment).collect();
        let (behind, on): (Vec<_>, Vec<_>) = legs.iter().partition(|leg| matches!(leg, Attachment::Nat(_)));
        for (key, legs) in [("behind", behind), ("on", on)] {
            let shadowed = legs.contains(&Attachment::Internet) && self.is_taken(INTERNET);
            if !legs.is_empty() && !shadowed {
                self.line(key, &list(legs.into_iter().map(|leg| self.leg(leg).to_owned())));
            }
        }
        let addresses = host.interfaces.iter().flat_map(|interface| &interface.addresses);
        self.line("address", &list(addresses.map(ToString::to_string)));
        self.link(&host.link);
        self.line("ice", &inline(&self.ice(host)));
        self.line("agent", &quote(&host.agent));
    }

    fn ice(&self, host: &Host) -> Vec<(&'static str, String)> {
        let ice = &host.ice;
        let servers = ice.servers.iter().map(|server| self.scenario[*server].name.clone());
        let everywhere = ice.interfaces.len() == host.interfaces.len() && !self.is_taken(ALL_INTERFACES);
        let legs = ice.interfaces.iter().map(|index| host.interfaces[*index].attachment);
        let mut fields = vec![
            ("servers", list(servers)),
            ("policy", quote(ice.policy.as_str())),
            ("relay-wait", quoted_duration(ice.relay_wait)),
            (
                "rto",
                match ice.retransmission {
                    Retransmission::Fixed(rto) => quoted_duration(rto),
                    Retransmission::Rfc8445 => quote(RFC8445),
                },
            ),
            ("addresses", quote(ice.addresses.as_str())),
            ("lite", ice.lite.to_string()),
            ("icmp-errors", ice.icmp_errors.to_string()),
            ("max-pairs", ice.max_pairs.to_string()),
        ];
        if let Some(role) = ice.role {
            fields.push(("role", quote(role.as_str())));
        }
        if everywhere {
            fields.push(("interfaces", quote(ALL_INTERFACES)));
        } else if !(legs.clone().any(|leg| leg == Attachment::Internet) && self.is_taken(INTERNET)) {
            fields.push(("interfaces", list(legs.map(|leg| self.leg(leg).to_owned()))));
        }
        fields
    }

    fn server(&mut self, server: &Server) {
        let family = if server.kind == ServerKind::Stun { "stun" } else { "turn" };
        self.table(&header(family, &server.name));
        self.line("address", &list(server.addresses.iter().map(ToString::to_string)));
        if let ServerKind::Turn { credentials, quota, alternate } = &server.kind {
            self.line("transport", "[\"udp\"]");
            if let Some(credentials) = credentials {
                self.line("user", &quote(&credentials.user));
                self.line("password", &quote(&credentials.password));
            }
            if let Some(quota) = quota {
                self.line("quota", &quota.to_string());
            }
            if let Some(other) = alternate {
                self.line("alternate", &quote(&self.scenario[*other].name));
            }
        }
        self.link(&server.link);
    }

    fn connect(&mut self, connect: &Connect) {
        self.table("[[connect]]");
        self.line("from", &quote(&self.scenario[connect.from].name));
        self.line("to", &quote(&self.scenario[connect.to].name));
        self.line("start", &quote(&print_instant(connect.start)));
        self.line("within", &quoted_duration(connect.within));
        self.line("hold", &quoted_duration(connect.hold));
        if let Some(expect) = connect.expect {
            self.line("expect", &quote(expect.as_str()));
        }
        if let Some((local, remote)) = connect.path {
            self.line("path", &quote(&format!("{}/{}", local.as_str(), remote.as_str())));
        }
        if let Some(channel) = &connect.channel {
            self.line("channel", &quote(channel));
        }
        if let Some(after) = connect.after {
            self.line("after", &quote(after.as_str()));
        }
    }

    fn send(&mut self, send: &Send) {
        self.table("[[send]]");
        self.line("from", &quote(&self.scenario[send.from].name));
        self.line("from-port", &send.from_port.to_string());
        match send.target {
            Target::Node(node) => self.line("to", &quote(self.scenario.node_name(node))),
            Target::Address => self.line("to", &quote(&send.to.ip.to_string())),
        }
        self.line("to-port", &send.to.port.to_string());
        self.line("at", &quote(&print_instant(send.at)));
        if let Some(size) = send.size {
            self.line("size", &size.to_string());
        }
        self.line("dont-fragment", &send.dont_fragment.to_string());
        if let Some(expect) = send.expect {
            self.line("expect", &quote(expect.as_str()));
        }
    }

    fn event(&mut self, event: &Event) {
        self.table("[[event]]");
        self.line("at", &quote(&print_instant(event.at)));
        self.action(&event.action);
    }

    fn action(&mut self, action: &Action) {
        let node = |node: NodeId| quote(self.scenario.node_name(node));
        let (name, value) = match action {
            Action::RebootNat(nat) => ("reboot-nat", node(NodeId::Nat(*nat))),
            Action::LinkDown(down) => ("link-down", node(*down)),
            Action::LinkUp(up) => ("link-up", node(*up)),
            Action::StopServer(server) => ("stop-server", node(NodeId::Server(*server))),
            Action::StartServer(server) => ("start-server", node(NodeId::Server(*server))),
            Action::SetLink { node: changed, link } => {
                let mut fields = vec![("node", node(*changed))];
                fields.extend(link_fields(link));
                ("set-link", inline(&fields))
            }
            Action::ChangeAddress { node: changed, new, .. } => {
                let fields = [("node", node(*changed)), ("address", quote(&new.to_string()))];
                ("change-address", inline(&fields))
            }
        };
        self.line("do", &inline(&[(name, value)]));
    }

    fn link(&mut self, link: &LinkConfig) {
        self.line("link", &inline(&link_fields(link)));
    }

    fn leg(&self, leg: Attachment) -> &'s str {
        match leg {
            Attachment::Internet => INTERNET,
            Attachment::Nat(nat) => &self.scenario[nat].name,
            Attachment::Network(network) => &self.scenario[network].name,
        }
    }

    /// Whether a node has a name that also means something else.
    fn is_taken(&self, name: &str) -> bool {
        let scenario = self.scenario;
        scenario.networks.iter().any(|node| node.name == name)
            || scenario.nats.iter().any(|node| node.name == name)
            || scenario.hosts.iter().any(|node| node.name == name)
            || scenario.servers.iter().any(|node| node.name == name)
    }
}

/// The nat-type that each type becomes: its own name, with `-axes` after it for as long as that is taken.
fn type_names(scenario: &Scenario) -> BTreeMap<&str, String> {
    let given: Vec<&str> = scenario.nats.iter().map(|nat| nat.type_name.as_str()).collect();
    let mut names = BTreeMap::new();
    for &name in &given {
        let mut shown = name.replace('/', "-");
        if presets::lookup(name).is_some() {
            while presets::lookup(&shown).is_some() || given.contains(&shown.as_str()) {
                shown.push_str("-axes");
            }
        }
        names.insert(name, shown);
    }
    names
}

/// The keys of a nat-type that behaves as `behavior`.
pub(crate) fn axes(behavior: &Behavior) -> Vec<(&'static str, String)> {
    let base = if behavior.kind == Kind::Nat { DEFAULT_TYPE } else { behavior.kind.as_str() };
    let value = |value| match value {
        Value::Word(word) => quote(word),
        Value::Switch(on) => on.to_string(),
        Value::Duration(duration) => quoted_duration(duration),
        Value::Number(number) => number.to_string(),
        Value::Ports(range) => quote(&range.to_string()),
        Value::Destinations(all) => list(all.iter().map(ToString::to_string)),
    };
    let axes = Behavior::AXES.iter().filter_map(|axis| Some((axis.name, value(axis.get(behavior)?))));
    [("base", quote(base))].into_iter().chain(axes).collect()
}

/// The values of a link, key and value.
pub(crate) fn link_fields(link: &LinkConfig) -> Vec<(&'static str, String)> {
    vec![
        ("delay", quoted_duration(link.delay)),
        ("jitter", quoted_duration(link.jitter)),
        ("loss", format!("{:?}", link.loss)),
        ("rate", quote(&link.rate.map_or_else(|| UNLIMITED.to_owned(), print_rate))),
        ("queue", quote(&link.queue.map_or_else(|| UNLIMITED.to_owned(), print_size))),
        ("mtu", link.mtu.to_string()),
        ("duplicate", format!("{:?}", link.duplicate)),
        ("reorder", format!("{:?}", link.reorder)),
    ]
}

pub(crate) fn print_instant(at: Timestamp) -> String {
    print_duration(at.since(Timestamp::ZERO))
}

pub(crate) fn quoted_duration(duration: Duration) -> String {
    quote(&print_duration(duration))
}

/// The header of a table: `[family.name]`.
pub(crate) fn header(family: &str, name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { format!("[{family}.{name}]") } else { format!("[{family}.{}]", quote(name)) }
}

/// One value as a string, any other number of them as an array.
pub(crate) fn list(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.map(|value| quote(&value)).collect();
    if let [value] = values.as_slice() { value.clone() } else { format!("[{}]", values.join(", ")) }
}

/// An inline table.
pub(crate) fn inline(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// `text` as a TOML basic string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
