//! The subnet of every LAN and network: those that the file gives, and the automatic ones.

use std::collections::BTreeMap;
use std::ops::Range;

use natbed_packet::{Family, Prefix};

use super::leaf::OneOrMany;
use super::pool::{self, Subnets};
use super::resolved::{Attachment, Ipv6Mode, NatId, NetworkId};
use super::spec::Optional;
use super::wiring::Wiring;
use crate::diagnose::Diagnostic;

/// The subnets of one LAN or network.
#[derive(Clone, Default)]
pub(super) struct Subnet {
    pub(super) ipv4: Option<Prefix>,
    pub(super) ipv6: Option<Prefix>,
    /// Where the file names it, else where it names its owner.
    pub(super) span: Range<usize>,
}

/// Every LAN and network with its subnets.
pub(super) type Plan = BTreeMap<Attachment, Subnet>;

/// Gives each LAN and network its subnets; `members` counts the IPv4 addresses that each will need.
pub(super) fn plan(
    wiring: &Wiring<'_>,
    members: &BTreeMap<Attachment, u64>,
    on_internet: &[Prefix],
    problems: &mut Vec<Diagnostic>,
) -> Plan {
    let mut plan = Plan::new();
    for (at, (name, nat)) in wiring.spec.nat.iter().enumerate() {
        let nat = nat.get_ref();
        let attachment = Attachment::Nat(NatId::at(at));
        plan.insert(attachment, given(&nat.lan, name.span(), wiring, attachment, problems));
    }
    for (at, (name, network)) in wiring.spec.network.iter().enumerate() {
        let attachment = Attachment::Network(NetworkId::at(at));
        plan.insert(attachment, given(&network.get_ref().subnet, name.span(), wiring, attachment, problems));
    }
    deal_ipv4(&mut plan, wiring, members, on_internet, problems);
    deal_ipv6(&mut plan, wiring, on_internet, problems);
    check_overlaps(&plan, wiring, problems);
    plan
}

/// The subnets that the file gives for `attachment`, checked by themselves.
fn given(
    list: &Optional<OneOrMany<Prefix>>,
    owner: Range<usize>,
    wiring: &Wiring<'_>,
    attachment: Attachment,
    problems: &mut Vec<Diagnostic>,
) -> Subnet {
    let mut subnet = Subnet { span: owner, ..Subnet::default() };
    for given in list.iter().flat_map(|list| &list.get_ref().0) {
        let (block, span) = (*given.get_ref(), given.span());
        let slot = if block.family() == Family::V4 { &mut subnet.ipv4 } else { &mut subnet.ipv6 };
        if slot.replace(block).is_some() {
            let message = format!("{} has two subnets of one family", wiring.describe_segment(attachment));
            problems.push(Diagnostic::new("too-many-subnets", span.clone(), message).label("one too many"));
        }
        if let Some(problem) = misplaced(block, span.clone(), wiring, attachment) {
            problems.push(problem);
        }
        subnet.span = span;
    }
    subnet
}

/// Why `block` cannot be what `attachment` is.
fn misplaced(
    block: Prefix,
    span: Range<usize>,
    wiring: &Wiring<'_>,
    attachment: Attachment,
) -> Option<Diagnostic> {
    let subject = wiring.describe_segment(attachment);
    if let Some(meaning) = pool::reserved(block) {
        let problem = Diagnostic::new("reserved-subnet", span, format!("{subject} cannot be {block}"));
        return Some(problem.label(format!("this is for {meaning}")));
    }
    let router = wiring.router(attachment);
    if block.family() == Family::V6 && router.is_none_or(|nat| wiring.ipv6(nat) == Ipv6Mode::Off) {
        let problem = Diagnostic::new("no-ipv6", span, format!("{subject} has an IPv6 subnet, but no IPv6"));
        let help = "IPv6 needs a nat with `ipv6 = \"routed\"` or `\"firewalled\"`".to_owned();
        return Some(problem.label("no nat routes IPv6 to it").help(help));
    }
    let routed = block.family() == Family::V6 || wiring.realm(attachment) == Some(Attachment::Internet);
    if router.is_some() && routed && !pool::is_global(block) {
        let problem = Diagnostic::new(
            "private-subnet",
            span,
            format!("{subject} is on the internet, but {block} is not"),
        );
        return Some(problem.label("the internet routes no private addresses"));
    }
    None
}

fn deal_ipv4(
    plan: &mut Plan,
    wiring: &Wiring<'_>,
    members: &BTreeMap<Attachment, u64>,
    on_internet: &[Prefix],
    problems: &mut Vec<Diagnostic>,
) {
    let mut avoid: Vec<Prefix> = plan.values().filter_map(|subnet| subnet.ipv4).collect();
    avoid.extend(on_internet);
    let (mut private, mut carrier, mut public) = (Subnets::private(), Subnets::carrier(), Subnets::public());
    let mut waiting: Vec<(usize, Attachment)> = plan
        .iter()
        .filter(|(_, subnet)| subnet.ipv4.is_none())
        .map(|(&to, subnet)| (subnet.span.start, to))
        .collect();
    waiting.sort_unstable();
    for (_, attachment) in waiting {
        let pools = if wiring.router(attachment).is_some()
            && wiring.realm(attachment) == Some(Attachment::Internet)
        {
            &mut public
        } else if matches!(attachment, Attachment::Nat(nat) if wiring.nats[nat.index()].has_nats_behind) {
            &mut carrier
        } else {
            &mut private
        };
        let needed = members.get(&attachment).copied().unwrap_or(0);
        let length = (1..=24).rev().find(|&length| (1u64 << (32 - length)) - 2 >= needed).unwrap_or(1);
        let Some(subnet) = plan.get_mut(&attachment) else { continue };
        subnet.ipv4 = pools.deal(length, &avoid);
        if subnet.ipv4.is_none() {
            let message = format!("there is no subnet left for {}", wiring.describe_segment(attachment));
            problems.push(Diagnostic::new("no-subnet-left", subnet.span.clone(), message));
        }
    }
}

fn deal_ipv6(plan: &mut Plan, wiring: &Wiring<'_>, on_internet: &[Prefix], problems: &mut Vec<Diagnostic>) {
    let mut avoid: Vec<Prefix> = plan.values().filter_map(|subnet| subnet.ipv6).collect();
    avoid.extend(on_internet);
    let mut blocks = pool::lans_ipv6().filter(move |block| !avoid.iter().any(|other| other.overlaps(*block)));
    for (&attachment, subnet) in plan.iter_mut() {
        let has_ipv6 = wiring.router(attachment).is_some_and(|nat| wiring.ipv6(nat) != Ipv6Mode::Off);
        if !has_ipv6 || subnet.ipv6.is_some() {
            continue;
        }
        subnet.ipv6 = blocks.next();
        if subnet.ipv6.is_none() {
            let message = format!("there is no IPv6 subnet left for {}", wiring.describe_segment(attachment));
            problems.push(Diagnostic::new("no-subnet-left", subnet.span.clone(), message));
        }
    }
}

/// Reports subnets of one realm that overlap, and NATs with one subnet on both sides.
fn check_overlaps(plan: &Plan, wiring: &Wiring<'_>, problems: &mut Vec<Diagnostic>) {
    let mut blocks: Vec<(Attachment, Prefix, Attachment)> = Vec::new();
    for (&attachment, subnet) in plan {
        let realms = wiring.realms(attachment);
        blocks.extend(
            subnet
                .ipv4
                .into_iter()
                .flat_map(|block| realms.iter().map(move |realm| (*realm, block, attachment))),
        );
        blocks.extend(subnet.ipv6.map(|block| (Attachment::Internet, block, attachment)));
    }
    blocks.sort_unstable_by_key(|&(realm, block, attachment)| {
        (realm, block.network(), block.length(), plan[&attachment].span.start)
    });
    let mut widest: Option<(Attachment, Prefix, Attachment)> = None;
    for &(realm, block, attachment) in &blocks {
        match widest {
            Some((same, wide, other)) if same == realm && wide.overlaps(block) => {
                report_overlap(plan, wiring, (attachment, block), (other, wide), problems);
            }
            _ => widest = Some((realm, block, attachment)),
        }
    }
    for (at, nat) in wiring.nats.iter().enumerate() {
        let inside = Attachment::Nat(NatId::at(at));
        let outside = nat.outside.filter(|_| nat.realm == Some(inside) && !nat.exempts());
        let wide = outside.and_then(|outside| Some((outside, plan.get(&outside)?.ipv4?)));
        let first = blocks.partition_point(|(realm, ..)| *realm < inside);
        for &(_, block, attachment) in blocks[first..].iter().take_while(|(realm, ..)| *realm == inside) {
            if let Some((outside, wide)) = wide.filter(|(_, wide)| wide.overlaps(block)) {
                report_overlap(plan, wiring, (attachment, block), (outside, wide), problems);
            }
        }
    }
}

/// Reports the later of two subnets.
fn report_overlap(
    plan: &Plan,
    wiring: &Wiring<'_>,
    one: (Attachment, Prefix),
    other: (Attachment, Prefix),
    problems: &mut Vec<Diagnostic>,
) {
    let earlier_first = plan[&one.0].span.start > plan[&other.0].span.start;
    let (first, second) = if earlier_first { (other, one) } else { (one, other) };
    let (first_name, second_name) = (wiring.describe_segment(first.0), wiring.describe_segment(second.0));
    let message = format!("{second_name} overlaps {first_name}");
    let problem = Diagnostic::new("overlapping-subnets", plan[&second.0].span.clone(), message);
    let label = format!("{} and {} have addresses in common", second.1, first.1);
    problems.push(problem.label(label).help("give one of them another subnet".to_owned()));
}
