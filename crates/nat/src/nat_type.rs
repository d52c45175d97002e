//! A type of NAT, of which a network has many.

use std::net::IpAddr;
use std::sync::Arc;

use natbed_packet::Prefix;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::behavior::{Behavior, BehaviorError};
use crate::engine::{ConfigError, Nat};
use crate::timers::Timers;

/// A behaviour from which many NATs are made. They have it in memory once, which makes them smaller, and faster where
/// thousands of them take turns.
///
/// ```
/// use natbed_nat::{NatType, presets};
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let symmetric = NatType::new(presets::lookup("symmetric").unwrap().behavior)?;
/// let street: Vec<_> = (1..=9)
///     .map(|house| {
///         let external = [format!("203.0.113.{house}").parse()?];
///         let internal = ["192.168.1.0/24".parse()?];
///         Ok(symmetric.nat(&external, &internal, Xoshiro256PlusPlus::seed_from_u64(house))?)
///     })
///     .collect::<Result<_, Box<dyn std::error::Error>>>()?;
/// assert!(street.iter().all(|nat| std::ptr::eq(nat.behavior(), symmetric.behavior())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NatType {
    pub(crate) behavior: Arc<Behavior>,
    pub(crate) timers: Arc<Timers>,
}

impl NatType {
    /// The type of NAT that behaves so, unless that contradicts itself.
    pub fn new(behavior: Behavior) -> Result<Self, BehaviorError> {
        behavior.validate()?;
        let timers = Arc::new(Timers::new(&behavior));
        Ok(Self { behavior: Arc::new(behavior), timers })
    }

    /// What NATs of this type do.
    pub fn behavior(&self) -> &Behavior {
        &self.behavior
    }

    /// A NAT of this type with an empty table, drawing ports from `rng`; `external` and `internal` are those of
    /// [`Config`](crate::Config).
    pub fn nat(
        &self,
        external: &[IpAddr],
        internal: &[Prefix],
        rng: Xoshiro256PlusPlus,
    ) -> Result<Nat, ConfigError> {
        Nat::of_type(self, external, internal, rng)
    }
}
