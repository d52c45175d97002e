//! The scenarios and populations that `natbed new` writes.

/// A scenario or population to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// What `natbed new` calls it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub summary: &'static str,
    /// The file.
    pub text: &'static str,
}

/// Every template, in the order in which to list them.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "basic",
        summary: "two hosts behind a NAT each, a STUN and a TURN server",
        text: include_str!("templates/basic.toml"),
    },
    Template {
        name: "double-nat",
        summary: "a NAT behind a NAT on one side",
        text: include_str!("templates/double-nat.toml"),
    },
    Template {
        name: "carrier",
        summary: "two homes behind one carrier NAT, which may or may not hairpin",
        text: include_str!("templates/carrier.toml"),
    },
    Template {
        name: "firewall",
        summary: "public hosts behind firewalls, one of which blocks UDP",
        text: include_str!("templates/firewall.toml"),
    },
    Template {
        name: "send",
        summary: "plain datagrams: what a NAT translates and what it lets in",
        text: include_str!("templates/send.toml"),
    },
    Template {
        name: "faults",
        summary: "a held connection through reboots, outages and a new address",
        text: include_str!("templates/faults.toml"),
    },
    Template {
        name: "population",
        summary: "groups of users, for `natbed sweep`",
        text: include_str!("templates/population.toml"),
    },
];

/// The template called `name`.
pub fn find(name: &str) -> Option<Template> {
    TEMPLATES.iter().copied().find(|template| template.name == name)
}
