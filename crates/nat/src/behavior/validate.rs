//! Whether the fields of a behaviour agree with one another.

use std::time::Duration;

use thiserror::Error;

use super::{Behavior, Kind, Mapping, Pooling, PortRange};

/// Why a [`Behavior`] contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BehaviorError {
    /// The port range ends before it begins.
    #[error("the range {first}-{last} ends before it begins")]
    ReversedPortRange {
        /// Its first port.
        first: u16,
        /// Its last port.
        last: u16,
    },
    /// The port range holds port 0, which no packet may have (RFC 768).
    #[error("port 0 cannot be used")]
    PortZero,
    /// Ports of one parity are missing.
    #[error("a single port is even or odd, and both are needed")]
    ParityNeedsTwoPorts {
        /// The field, in scenario spelling.
        field: &'static str,
    },
    /// A duration is zero.
    #[error("a timeout of zero ends a mapping before it begins")]
    ZeroTimeout {
        /// The field, in scenario spelling.
        field: &'static str,
    },
    /// A number that must be at least 1 is zero.
    #[error("zero lets nothing through")]
    Zero {
        /// The field, in scenario spelling.
        field: &'static str,
    },
    /// The port block is larger than the port range.
    #[error("a block of {block} ports does not fit into a range of {range}")]
    BlockAboveRange {
        /// Ports in a block.
        block: u16,
        /// Ports in the range.
        range: u32,
    },
    /// A host's quota cannot be reached.
    #[error("a host can never have {quota} mappings, as there are {limit} at most")]
    QuotaAboveLimit {
        /// Mappings that a host may have.
        quota: u32,
        /// Ports or mappings that there are for it.
        limit: u32,
    },
    /// Overloaded ports are told apart by their remotes, and an endpoint-independent mapping has none of its own.
    #[error("endpoint-independent mappings cannot share a port: nothing tells their packets apart")]
    OverloadingNeedsDestination,
}

impl BehaviorError {
    /// The field at fault, in scenario spelling.
    pub const fn field(self) -> &'static str {
        match self {
            Self::ReversedPortRange { .. } | Self::PortZero => "port-range",
            Self::ParityNeedsTwoPorts { field } | Self::ZeroTimeout { field } | Self::Zero { field } => field,
            Self::BlockAboveRange { .. } => "port-block",
            Self::QuotaAboveLimit { .. } => "max-mappings-per-host",
            Self::OverloadingNeedsDestination => "port-overloading",
        }
    }

    /// What to write instead.
    pub fn hint(self) -> String {
        match self {
            Self::ReversedPortRange { first, last } => format!("write {last}-{first}"),
            Self::PortZero => "start the range at 1 or above".to_owned(),
            Self::ParityNeedsTwoPorts { .. } => "allow more ports or leave port-parity out".to_owned(),
            Self::ZeroTimeout { .. } => "write a duration such as \"30 s\"".to_owned(),
            Self::Zero { .. } => "write a number of 1 or more".to_owned(),
            Self::BlockAboveRange { range, .. } => format!("write {range} or less"),
            Self::QuotaAboveLimit { limit, .. } => format!("write {limit} or less"),
            Self::OverloadingNeedsDestination => {
                "set mapping = \"address-and-port-dependent\" or leave port-overloading out".to_owned()
            }
        }
    }
}

impl Behavior {
    /// Checks that the fields agree with one another, and reports the first that does not.
    pub fn validate(&self) -> Result<(), BehaviorError> {
        self.validate_ports()?;
        self.validate_timeouts()?;
        self.validate_limits()
    }

    fn validate_ports(&self) -> Result<(), BehaviorError> {
        let PortRange { first, last } = self.port_range;
        if first > last {
            return Err(BehaviorError::ReversedPortRange { first, last });
        }
        if first == 0 {
            return Err(BehaviorError::PortZero);
        }
        if self.port_parity && first == last {
            return Err(BehaviorError::ParityNeedsTwoPorts { field: "port-range" });
        }
        if self.step == 0 {
            return Err(BehaviorError::Zero { field: "step" });
        }
        if self.port_overloading && self.mapping == Mapping::EndpointIndependent {
            return Err(BehaviorError::OverloadingNeedsDestination);
        }
        match self.port_block {
            Some(0) => Err(BehaviorError::Zero { field: "port-block" }),
            Some(1) if self.port_parity => Err(BehaviorError::ParityNeedsTwoPorts { field: "port-block" }),
            Some(block) if u32::from(block) > self.port_range.size() => {
                Err(BehaviorError::BlockAboveRange { block, range: self.port_range.size() })
            }
            _ => Ok(()),
        }
    }

    fn validate_timeouts(&self) -> Result<(), BehaviorError> {
        let timeouts = [
            ("udp-timeout", Some(self.udp_timeout)),
            ("udp-timeout-new", self.udp_timeout_new),
            ("tcp-established", Some(self.tcp_established)),
            ("tcp-transitory", Some(self.tcp_transitory)),
            ("tcp-closing", self.tcp_closing),
            ("icmp-timeout", Some(self.icmp_timeout)),
            ("filter-timeout", self.filter_timeout),
        ];
        match timeouts.iter().find(|(_, timeout)| *timeout == Some(Duration::ZERO)) {
            Some((field, _)) => Err(BehaviorError::ZeroTimeout { field }),
            None => Ok(()),
        }
    }

    fn validate_limits(&self) -> Result<(), BehaviorError> {
        if self.max_mappings == Some(0) {
            return Err(BehaviorError::Zero { field: "max-mappings" });
        }
        let Some(quota) = self.max_mappings_per_host else { return Ok(()) };
        if quota == 0 {
            return Err(BehaviorError::Zero { field: "max-mappings-per-host" });
        }
        let table = self.max_mappings.unwrap_or(u32::MAX);
        let limit = if self.kind == Kind::Nat { table.min(self.ports_per_host()) } else { table };
        if quota > limit { Err(BehaviorError::QuotaAboveLimit { quota, limit }) } else { Ok(()) }
    }

    /// The most mappings of one protocol that the ports of one host allow.
    fn ports_per_host(&self) -> u32 {
        if self.port_overloading || self.pooling == Pooling::Arbitrary {
            return u32::MAX;
        }
        self.port_block.map_or(self.port_range.size(), u32::from)
    }
}
