//! What many small NATs weigh, by counting what the allocator hands out.

use std::alloc::System;

use cap::Cap;

mod small_nats;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// In a network of a hundred thousand, a NAT with fewer than five mappings costs less than a kibibyte. It costs the same
/// among fewer.
#[test]
fn a_small_nat_in_a_large_network_costs_less_than_a_kibibyte() {
    let each = small_nats::each(|| ALLOCATOR.allocated(), [1_000, 3_000]);
    assert!(each < 1024, "a NAT of {} mappings costs {each} octets", small_nats::MAPPINGS);
}
