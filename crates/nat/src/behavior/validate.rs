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
    /// Ports below 1024 or above are missing.
    #[error("ports below 1024 and ports above are kept apart, and both are needed")]
    HalvesNeedBoth {
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
    /// A box that translates nothing can exempt nothing from it.
    #[error("a {kind} translates nothing as it is")]
    NothingToExempt {
        /// What it is.
        kind: Kind,
    },
}

impl BehaviorError {
    /// The field at fault, in scenario spelling.
    pub const fn field(self) -> &'static str {
        match self {
            Self::ReversedPortRange { .. } | Self::PortZero => "port-range",
            Self::ParityNeedsTwoPorts { field }
            | Self::HalvesNeedBoth { field }
            | Self::ZeroTimeout { field }
            | Self::Zero { field } => field,
            Self::BlockAboveRange { .. } => "port-block",
            Self::QuotaAboveLimit { .. } => "max-mappings-per-host",
            Self::OverloadingNeedsDestination => "port-overloading",
            Self::NothingToExempt { .. } => "exempt",
        }
    }

    /// What to write instead.
    pub fn hint(self) -> String {
        match self {
            Self::ReversedPortRange { first, last } => format!("write {last}-{first}"),
            Self::PortZero => "start the range at 1 or above".to_owned(),
            Self::ParityNeedsTwoPorts { .. } => "allow more ports or leave port-parity out".to_owned(),
            Self::HalvesNeedBoth { field: "port-block" } => {
                "leave port-block or port-range-preservation out".to_owned()
            }
            Self::HalvesNeedBoth { .. } => {
                "allow ports on both sides of 1024, such as 1-65535, or leave port-range-preservation out"
                    .to_owned()
            }
            Self::ZeroTimeout { .. } => "write a duration such as \"30 s\"".to_owned(),
            Self::Zero { .. } => "write a number of 1 or more".to_owned(),
            Self::BlockAboveRange { range, .. } => format!("write {range} or less"),
            Self::QuotaAboveLimit { limit, .. } => format!("write {limit} or less"),
            Self::OverloadingNeedsDestination => {
                "set mapping = \"address-and-port-dependent\" or leave port-overloading out".to_owned()
            }
            Self::NothingToExempt { .. } => "leave exempt out".to_owned(),
        }
    }
}

impl Behavior {
    /// Checks that the fields agree with one another, and reports the first that does not.
    pub fn validate(&self) -> Result<(), BehaviorError> {
        self.contradictions().first().map_or(Ok(()), |error| Err(*error))
    }

    /// All that is wrong, at most once for each field.
    pub fn contradictions(&self) -> Vec<BehaviorError> {
        let ports = [self.wrong_range(), self.wrong_step(), self.wrong_overloading(), self.wrong_block()];
        let limits = [self.wrong_limit(), self.wrong_quota(), self.wrong_rate(), self.wrong_exempt()];
        ports.into_iter().flatten().chain(self.zero_timeouts()).chain(limits.into_iter().flatten()).collect()
    }

    fn wrong_range(&self) -> Option<BehaviorError> {
        let PortRange { first, last } = self.port_range;
        if first > last {
            return Some(BehaviorError::ReversedPortRange { first, last });
        }
        if first == 0 {
            return Some(BehaviorError::PortZero);
        }
        let one_half = self.port_range.half_of(0).size() == 0 || self.port_range.half_of(1024).size() == 0;
        if self.port_range_preservation && one_half {
            return Some(BehaviorError::HalvesNeedBoth { field: "port-range" });
        }
        let too_few = self.port_parity && first == last;
        too_few.then_some(BehaviorError::ParityNeedsTwoPorts { field: "port-range" })
    }

    fn wrong_step(&self) -> Option<BehaviorError> {
        (self.step == 0).then_some(BehaviorError::Zero { field: "step" })
    }

    fn wrong_overloading(&self) -> Option<BehaviorError> {
        let wrong = self.port_overloading && self.mapping == Mapping::EndpointIndependent;
        wrong.then_some(BehaviorError::OverloadingNeedsDestination)
    }

    fn wrong_block(&self) -> Option<BehaviorError> {
        let range = self.port_range.size();
        match self.port_block {
            Some(0) => Some(BehaviorError::Zero { field: "port-block" }),
            Some(_) if self.port_range_preservation => {
                Some(BehaviorError::HalvesNeedBoth { field: "port-block" })
            }
            Some(1) if self.port_parity => Some(BehaviorError::ParityNeedsTwoPorts { field: "port-block" }),
            Some(block) if range > 0 && u32::from(block) > range => {
                Some(BehaviorError::BlockAboveRange { block, range })
            }
            _ => None,
        }
    }

    fn zero_timeouts(&self) -> impl Iterator<Item = BehaviorError> + use<> {
        let timeouts = [
            ("udp-timeout", Some(self.udp_timeout)),
            ("udp-timeout-new", self.udp_timeout_new),
            ("tcp-established", Some(self.tcp_established)),
            ("tcp-transitory", Some(self.tcp_transitory)),
            ("tcp-closing", self.tcp_closing),
            ("icmp-timeout", Some(self.icmp_timeout)),
            ("filter-timeout", self.filter_timeout),
        ];
        let zero = timeouts.into_iter().filter(|(_, timeout)| *timeout == Some(Duration::ZERO));
        zero.map(|(field, _)| BehaviorError::ZeroTimeout { field })
    }

    fn wrong_limit(&self) -> Option<BehaviorError> {
        (self.max_mappings == Some(0)).then_some(BehaviorError::Zero { field: "max-mappings" })
    }

    fn wrong_quota(&self) -> Option<BehaviorError> {
        let quota = self.max_mappings_per_host?;
        if quota == 0 {
            return Some(BehaviorError::Zero { field: "max-mappings-per-host" });
        }
        let table = self.max_mappings.unwrap_or(u32::MAX);
        let limit = if self.kind == Kind::Nat { table.min(self.ports_per_host()) } else { table };
        (limit > 0 && quota > limit).then_some(BehaviorError::QuotaAboveLimit { quota, limit })
    }

    fn wrong_rate(&self) -> Option<BehaviorError> {
        let zero = self.mapping_rate_per_host == Some(0);
        zero.then_some(BehaviorError::Zero { field: "mapping-rate-per-host" })
    }

    fn wrong_exempt(&self) -> Option<BehaviorError> {
        let wrong = !self.exempt.is_empty() && !matches!(self.kind, Kind::Nat | Kind::Static);
        wrong.then_some(BehaviorError::NothingToExempt { kind: self.kind })
    }

    /// The most mappings of one protocol that the ports of one host allow.
    fn ports_per_host(&self) -> u32 {
        if self.port_overloading || self.pooling == Pooling::Arbitrary {
            return u32::MAX;
        }
        self.port_block.map_or(self.port_range.size(), u32::from)
    }
}
