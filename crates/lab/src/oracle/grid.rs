//! The 3 x 3 grid in closed form.

use natbed_nat::behavior::{Filtering, Mapping};

/// Whether two hosts, each behind one NAT of the grid with every other axis at its default, connect directly.
/// Otherwise they need a relay.
///
/// Write P for the port that a side has signalled, and P' for the one that it checks from.
///
/// - Both mappings endpoint-independent: P' is P, and each side's checks open its own filter for the other's.
/// - One endpoint-dependent: its checks come from a port that nobody signalled. The steady side cannot send to that
///   port before it lets a check in from it, so its filter must not look at ports. Then it answers from P, which the
///   other has sent to.
/// - Both endpoint-dependent: the first check can only come in at a signalled P, which has sent to nobody but the
///   server: one side must be open. It answers from elsewhere, which does not count, but now it knows P' of the other
///   and checks it from its own P'. The other lets that in unless its filter looks at ports. The response comes from
///   where the check went only if a mapping holds still for all ports of an address, on one side at least.
pub fn is_direct(a: (Mapping, Filtering), b: (Mapping, Filtering)) -> bool {
    use Filtering::{AddressAndPortDependent as Ports, EndpointIndependent as Open};
    let steady = |(mapping, _)| mapping == Mapping::EndpointIndependent;
    let restless = |(mapping, _)| mapping == Mapping::AddressAndPortDependent;
    match (steady(a), steady(b)) {
        (true, true) => true,
        (true, false) => a.1 != Ports,
        (false, true) => b.1 != Ports,
        (false, false) => {
            let one_open = (a.1 == Open && b.1 != Ports) || (b.1 == Open && a.1 != Ports);
            one_open && !(restless(a) && restless(b))
        }
    }
}
