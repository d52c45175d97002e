//! What an agent is told at the start.

use std::time::Duration;

use natbed_packet::Endpoint;

/// Which agent nominates (RFC 8445 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nominates; the initiator is controlling (RFC 8445 section 6.1.1).
    Controlling,
    /// Accepts what is nominated.
    Controlled,
}

impl Role {
    /// The other role.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// Which local candidates are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Every type.
    #[default]
    All,
    /// Relayed candidates only, so that the peer learns no address of the host (RFC 8828 section 5.2).
    Relay,
}

/// Which of the host's addresses are used and told: the four modes of RFC 8828 section 5.2. What an address is worth to
/// whoever learns it is the application's to judge; so is the consent that the first mode needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// Mode 1, 'enumerate all addresses': every interface.
    #[default]
    All,
    /// Mode 2, 'default route + associated local addresses': the interface that the default route of a family leaves by.
    DefaultRouteAndLan,
    /// Mode 3, 'default route only': the same interface, but its addresses are not told, only those that servers show.
    DefaultRoute,
    /// Mode 4, 'force proxy': all goes through a proxy. TURN servers stand for it, so this leaves relayed candidates alone.
    Proxy,
}

/// The retransmission timeout of gathering and checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rto {
    /// Always the same, at least [`Rto::MIN`].
    Fixed(Duration),
    /// Grows with the number of transactions (RFC 8445 section 14.3).
    Rfc8445,
}

impl Rto {
    /// "Agents MUST NOT use an RTO value smaller than 500 ms" (RFC 8445 section 14.3).
    pub const MIN: Duration = Duration::from_millis(500);

    /// The timeout; `steps` times `ta` by the formula. When gathering, `steps` is the number of candidates hoped for, in
    /// checks that of all pairs times that of the pairs Waiting or In-Progress.
    pub(crate) fn value(self, ta: Duration, steps: usize) -> Duration {
        let value = match self {
            Self::Fixed(value) => value,
            Self::Rfc8445 => ta.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)),
        };
        value.max(Self::MIN)
    }
}

/// A TURN server over UDP and the long-term credential for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnServer {
    /// Where it listens.
    pub address: Endpoint,
    /// The username.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The configuration of an [`Agent`](super::Agent).
#[derive(Clone, Debug)]
pub struct Config {
    /// The role to start in.
    pub role: Role,
    /// STUN servers, each asked from every host candidate of its family.
    pub stun_servers: Vec<Endpoint>,
    /// TURN servers, likewise.
    pub turn_servers: Vec<TurnServer>,
    /// Which local candidates are used; default all.
    pub policy: Policy,
    /// Which addresses of the host are used and told; default all.
    pub addresses: Addresses,
    /// Whether this is a lite agent (RFC 8445 section 2.5): it has host candidates only, answers checks and sends none.
    /// Default no.
    pub lite: bool,
    /// Whether a hard ICMP error fails the pair whose check it is about (RFC 8445 section 7.2.5.2.2). Default no: an error
    /// is easily forged, and a NAT that says so today lets in tomorrow. Transactions with servers always end with one
    /// (RFC 8489 section 6.2.1).
    pub heed_icmp: bool,
    /// How long a controlling agent with a valid relayed pair hopes for one without relay; default 2 s. It counts from
    /// the first valid relayed pair.
    pub relay_wait: Duration,
    /// Retransmission timeout; default 500 ms, fixed.
    pub rto: Rto,
    /// Pace of new transactions, at least 5 ms; default 50 ms (RFC 8445 section 14.2).
    pub ta: Duration,
    /// Most candidate pairs; default 100 (RFC 8445 section 6.1.2.5).
    pub max_pairs: usize,
    /// Whether the selected pair's consent is kept fresh (RFC 7675); default yes. Without it there are keepalives only.
    pub consent: bool,
}

impl Config {
    /// The defaults in `role`, without servers.
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            policy: Policy::All,
            addresses: Addresses::All,
            lite: false,
            heed_icmp: false,
            relay_wait: Duration::from_secs(2),
            rto: Rto::Fixed(Rto::MIN),
            ta: Duration::from_millis(50),
            max_pairs: 100,
            consent: true,
        }
    }

    /// Whether nothing but relayed candidates is used.
    pub(crate) const fn relays_only(&self) -> bool {
        matches!(self.policy, Policy::Relay) || matches!(self.addresses, Addresses::Proxy)
    }

    /// The pace: transactions "MUST NOT be sent more often than once every 5 ms" (RFC 8445 section 14.2).
    pub(crate) fn pace(&self) -> Duration {
        self.ta.max(Duration::from_millis(5))
    }
}
