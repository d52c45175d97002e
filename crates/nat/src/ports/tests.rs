use proptest::prelude::*;
use rand::SeedableRng;

use super::*;

proptest! {
    /// A set of any size finds the port that trying one after the other finds.
    #[test]
    fn a_set_finds_the_first_free_port(
        used in proptest::collection::btree_set(1u16..400, 0..300),
        freed in proptest::collection::vec(1u16..400, 0..200),
        first in 1u16..300,
        size in 0u16..100,
        start in 0u16..500,
        parity in proptest::option::of(0u16..2),
    ) {
        let mut set = PortSet::default();
        used.iter().for_each(|port| set.insert(*port));
        let mut left = used.clone();
        for port in freed.iter().filter(|port| used.contains(port)) {
            if left.remove(port) {
                set.remove(*port);
            }
        }
        let search = Search { range: PortRange::new(first, first + size), parity, start };
        prop_assert_eq!(set.next_free(search), next_free_among(search, |port| left.contains(&port)));
        prop_assert_eq!(set.is_empty(), left.is_empty());
    }
}

#[test]
fn a_full_set_has_none_and_one_freed_port_is_found() {
    let mut set = PortSet::default();
    (0..=u16::MAX).for_each(|port| set.insert(port));
    let search = |start| Search { range: PortRange::new(1, 65535), parity: None, start };
    assert_eq!(set.next_free(search(40000)), None);
    set.remove(39999);
    assert_eq!(set.next_free(search(40000)), Some(39999));
    assert_eq!(set.next_free(Search { parity: Some(0), ..search(40000) }), None);
}

#[test]
fn sequential_ports_step_and_wrap() {
    let behavior = Behavior { ports: PortAssignment::Sequential, step: 3, ..Behavior::default() };
    let range = PortRange::new(10, 14);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut after =
        |cursor| choose(&behavior, range, 9, cursor, &mut rng, |search| next_free_among(search, |_| false));
    assert_eq!([after(None), after(Some(10)), after(Some(13))], [Some(10), Some(13), Some(11)]);
}
