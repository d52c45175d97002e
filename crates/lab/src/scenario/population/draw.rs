//! Who is in a pair: two users drawn independently.

use natbed_net::stream::{mix, stream};
use rand::RngExt;

use super::{Group, Population};

/// A user of a population.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// Its group, by its place in [`Population::groups`].
    pub group: usize,
    /// What it is behind, by its place in [`Group::types`].
    pub of_type: usize,
}

/// Two users who want to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The one that initiates, and the other.
    pub users: [User; 2],
    /// Whether they are behind one outermost NAT, of the type that the first user has.
    pub same_network: bool,
}

/// The seed of pair `index` of a sweep with the seed `master`: all that is random about the pair. At most 2^63 - 1.
pub const fn pair_seed(master: u64, index: u64) -> u64 {
    mix(mix(master).wrapping_add(index)) >> 1
}

impl Population {
    /// The pair that the seed `pair_seed` stands for.
    ///
    /// The same five numbers are drawn for every pair, each for one purpose, so that a change to the population changes
    /// no pair that it does not concern.
    pub fn draw(&self, pair_seed: u64) -> Pair {
        let mut rng = stream(pair_seed, "population", "pair");
        let [group, of_type, other_group, other_type, network]: [f64; 5] =
            std::array::from_fn(|_| rng.random());
        let shares = || self.groups.iter().map(|group| group.share);
        let first = self.user(choose(shares(), group), of_type);
        let second = self.user(choose(shares(), other_group), other_type);
        let own = &self.groups[first.group];
        let same_network = first.group == second.group && network < own.same_network;
        let second = if same_network { neighbour(own, first, other_type) } else { second };
        Pair { users: [first, second], same_network }
    }

    fn user(&self, group: usize, number: f64) -> User {
        let types = self.groups[group].types.iter().map(|of_type| of_type.share);
        User { group, of_type: choose(types, number) }
    }
}

/// A user behind the outermost NAT of `first`: any of those whose NATs are behind one of that type, or where the user's
/// own NAT is the outermost, one more host behind it.
fn neighbour(group: &Group, first: User, number: f64) -> User {
    let Some(outer) = &group.types[first.of_type].behind else { return first };
    let behind_it =
        |of_type: &super::UserType| of_type.behind.as_ref().is_some_and(|nat| nat.name == outer.name);
    let shares = group.types.iter().map(|of_type| if behind_it(of_type) { of_type.share } else { 0.0 });
    let total: f64 = shares.clone().sum();
    User { of_type: choose(shares, number * total), ..first }
}

/// The first place whose share and those before it sum to more than `number`; the last with a share if rounding leaves none.
fn choose(shares: impl Iterator<Item = f64>, number: f64) -> usize {
    let (mut sum, mut last) = (0.0, 0);
    for (place, share) in shares.enumerate().filter(|(_, share)| *share > 0.0) {
        (sum, last) = (sum + share, place);
        if number < sum {
            break;
        }
    }
    last
}
