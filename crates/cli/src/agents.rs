//! The agents that this binary was built with.

use natbed_lab::peer::Registry;
use natbed_lab::scenario::Scenario;

use crate::exit::Failure;

/// All of them.
#[cfg(feature = "adapters")]
pub(crate) fn registry() -> Registry {
    natbed_adapters::registry()
}

/// `native` alone.
#[cfg(not(feature = "adapters"))]
pub(crate) const fn registry() -> Registry {
    Registry::new()
}

/// Two agents by name: the initiator's and the other side's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair(pub(crate) [String; 2]);

impl Pair {
    /// Reads `native,is`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (first, second) = text.split_once(',').ok_or("write it as A,B: the initiator's agent first")?;
        let names = [first.trim(), second.trim()];
        let registry = registry();
        for name in names {
            registry.check(name).map_err(|unknown| unknown.to_string())?;
        }
        if !registry.understand(names[0], names[1]) {
            return Err("one of them talks with its own kind alone: give it twice".to_owned());
        }
        Ok(Self(names.map(str::to_owned)))
    }

    /// Puts them at the ends of every connection of `scenario`, which the user calls `name`.
    pub(crate) fn place(&self, name: &str, scenario: &mut Scenario) -> Result<(), Failure> {
        let registry = registry();
        let without = self.0.iter().find(|agent| !registry.has_channels(agent));
        let channel = scenario.connects.iter().any(|connect| connect.channel.is_some());
        if let Some(agent) = without.filter(|_| channel) {
            let message = format!("{name}: a connection has a channel, and the agent `{agent}` has none");
            return Err(Failure::usage(message, None));
        }
        scenario.set_agents(&self.0[0], &self.0[1]);
        Ok(())
    }

    /// The flag that says it again.
    pub(crate) fn flag(&self) -> String {
        format!(" --agents {}", self.0.join(","))
    }
}
