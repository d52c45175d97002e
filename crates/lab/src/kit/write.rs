//! A case as the text of a scenario file.

use std::fmt::Write;

use natbed_nat::{Behavior, presets};
use natbed_net::LinkConfig;

use super::case::{Case, Connect, Fault, FaultKind, Host, Middlebox, Server};
use crate::scenario::show::{axes, header, inline, link_fields, list, quote, quoted_duration};
use crate::scenario::{Ice, Scenario};

/// The file, which has a key only where it differs from its default.
pub(super) fn text(case: &Case) -> String {
    let mut text = "format = 1\n".to_owned();
    if !case.title.is_empty() {
        let _ = writeln!(text, "name = {}", quote(&case.title));
    }
    if case.seed != 1 {
        let _ = writeln!(text, "seed = {}", case.seed);
    }
    if case.signaling != Scenario::SIGNALING_DELAY {
        let _ = write!(text, "\n[signaling]\ndelay = {}\n", quoted_duration(case.signaling));
    }
    case.servers.iter().for_each(|server| server_table(&mut text, server));
    case.nats.iter().for_each(|nat| nat_tables(&mut text, nat));
    case.hosts.iter().for_each(|host| host_table(&mut text, case, host));
    case.connects.iter().for_each(|connect| connect_table(&mut text, connect));
    case.faults.iter().for_each(|fault| fault_table(&mut text, fault));
    text
}

fn server_table(text: &mut String, server: &Server) {
    let family = if server.turn { "turn" } else { "stun" };
    let _ = write!(text, "\n{}\n", header(family, &server.name));
    link_line(text, &server.link);
}

fn nat_tables(text: &mut String, nat: &Middlebox) {
    let (base, own) = spelling(&nat.behavior);
    let mut kind = base.to_owned();
    if !own.is_empty() {
        kind = format!("{}-type", nat.name);
        let _ = write!(text, "\n{}\nbase = {}\n", header("nat-type", &kind), quote(base));
        for (key, value) in own {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    let _ = write!(text, "\n{}\ntype = {}\n", header("nat", &nat.name), quote(&kind));
    behind_line(text, nat.behind.as_deref());
    link_line(text, &nat.link);
}

fn host_table(text: &mut String, case: &Case, host: &Host) {
    let _ = write!(text, "\n{}\n", header("host", &host.name));
    behind_line(text, host.behind.as_deref());
    link_line(text, &host.link);
    let mut ice = Vec::new();
    if !host.servers.iter().eq(case.servers.iter().map(|server| &server.name)) {
        let servers = host.servers.iter().cloned();
        ice.push(("servers", list(servers)));
    }
    if host.relay_wait != Ice::RELAY_WAIT {
        ice.push(("relay-wait", quoted_duration(host.relay_wait)));
    }
    if !ice.is_empty() {
        let _ = writeln!(text, "ice = {}", inline(&ice));
    }
}

fn connect_table(text: &mut String, connect: &Connect) {
    let Connect { from, to, start, within, hold } = connect;
    let _ = write!(text, "\n[[connect]]\nfrom = {}\nto = {}\n", quote(from), quote(to));
    let default = Connect::between(from, to);
    for (key, value, default) in
        [("start", start, default.start), ("within", within, default.within), ("hold", hold, default.hold)]
    {
        if *value != default {
            let _ = writeln!(text, "{key} = {}", quoted_duration(*value));
        }
    }
}

fn fault_table(text: &mut String, fault: &Fault) {
    let node = quote(&fault.node);
    let (name, value) = match fault.kind {
        FaultKind::RebootNat => ("reboot-nat", node),
        FaultKind::LinkDown => ("link-down", node),
        FaultKind::LinkUp => ("link-up", node),
        FaultKind::SetLink { loss, duplicate } => {
            let fields =
                [("node", node), ("loss", format!("{loss:?}")), ("duplicate", format!("{duplicate:?}"))];
            ("set-link", inline(&fields))
        }
        FaultKind::StopServer => ("stop-server", node),
        FaultKind::StartServer => ("start-server", node),
    };
    let _ =
        write!(text, "\n[[event]]\nat = {}\ndo = {}\n", quoted_duration(fault.at), inline(&[(name, value)]));
}

fn behind_line(text: &mut String, behind: Option<&str>) {
    if let Some(nat) = behind {
        let _ = writeln!(text, "behind = {}", quote(nat));
    }
}

fn link_line(text: &mut String, link: &LinkConfig) {
    let default = link_fields(&LinkConfig::default());
    let fields: Vec<_> = link_fields(link).into_iter().filter(|field| !default.contains(field)).collect();
    if !fields.is_empty() {
        let _ = writeln!(text, "link = {}", inline(&fields));
    }
}

/// The preset that comes nearest to `behavior`, and the keys in which a nat-type has to differ from it.
pub(super) fn spelling(behavior: &Behavior) -> (&'static str, Vec<(&'static str, String)>) {
    let wanted = keys(behavior);
    let names = presets::all().map(|preset| preset.name).chain(presets::GRID);
    let spellings = names.filter_map(|name| {
        let preset = presets::lookup(name)?.behavior;
        let given = keys(&preset);
        // A nat-type cannot take back a key that its base has and that has no word for 'not at all'.
        let all = given.iter().all(|(key, _)| wanted.iter().any(|(other, _)| other == key));
        let own: Vec<_> = wanted.iter().filter(|key| !given.contains(key)).cloned().collect();
        (all && preset.kind == behavior.kind).then_some((name, own))
    });
    spellings.min_by_key(|(_, own)| own.len()).unwrap_or((PLAIN, wanted))
}

/// The preset that all others differ from.
const PLAIN: &str = "EIM/APDF";

fn keys(behavior: &Behavior) -> Vec<(&'static str, String)> {
    axes(behavior).into_iter().filter(|(key, _)| *key != "base").collect()
}
