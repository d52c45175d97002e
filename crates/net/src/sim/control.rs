//! Faults as they strike.

use std::net::IpAddr;

use natbed_packet::{Endpoint, Family};

use super::setup::link_streams;
use super::{Event, Simulator};
use crate::endpoint::{Input, Program};
use crate::fault::Fault;
use crate::node::{InterfaceId, Kind, NodeId};

impl<P: Program> Simulator<P> {
    /// Has `fault` strike now.
    pub fn inject(&mut self, fault: &Fault) {
        self.log_fault(fault);
        self.apply(fault);
    }

    pub(super) fn strike(&mut self, index: u32) {
        let fault = self.faults[index as usize].clone();
        self.inject(&fault);
    }

    fn apply(&mut self, fault: &Fault) {
        match fault {
            Fault::RebootNat(node) => self.reboot(*node),
            Fault::LinkDown(node) => self.set_links(*node, false),
            Fault::LinkUp(node) => self.set_links(*node, true),
            Fault::SetLink { node, link } => {
                let interfaces = self.nodes.interfaces(*node);
                for id in interfaces.iter() {
                    let name = &self.nodes.apart(*node).name;
                    let rngs = || link_streams(self.seed, name, interfaces.iter(), id);
                    self.interfaces[id.index()].link.configure(*link, rngs);
                }
            }
            Fault::ChangeAddress { node, old, new } => self.change_address(*node, *old, *new),
            Fault::Stop(node) => self.set_stopped(*node, true),
            Fault::Start(node) => self.set_stopped(*node, false),
        }
    }

    fn reboot(&mut self, node: NodeId) {
        if let Some(middlebox) = self.nodes.middlebox_mut(node) {
            middlebox.v4.nat.reboot(self.now);
            if let Some(firewall) = &mut middlebox.v6 {
                firewall.nat.reboot(self.now);
            }
        }
        for family in [Family::V4, Family::V6] {
            self.log_expired(node, family);
            self.release(node, family);
        }
    }

    fn set_links(&mut self, node: NodeId, up: bool) {
        for id in self.nodes.interfaces(node).iter() {
            self.interfaces[id.index()].link.set_up(up);
        }
    }

    fn change_address(&mut self, node: NodeId, old: IpAddr, new: IpAddr) {
        let has_old = |id: &InterfaceId| self.addresses[id.index()].contains(&old);
        let Some(id) = self.nodes.interfaces(node).iter().find(has_old) else { return };
        replace(&mut self.addresses[id.index()], old, new);
        let network = self.interfaces[id.index()].network;
        self.routes.remove_station(network, old);
        self.routes.add_station(network, new, id);
        replace(&mut self.nodes.apart_mut(node).external, old, new);
        match self.nodes.kind(node) {
            Kind::Nat(_) => self.change_external(node),
            Kind::Host(_) => {
                self.rebind(node, old, new);
                for program in self.nodes.apart(node).programs.clone() {
                    self.input(program, Input::AddressChanged { old, new }, None);
                }
            }
        }
    }

    /// Gives a NAT's engine the external addresses that it has by now.
    fn change_external(&mut self, node: NodeId) {
        let external = self.nodes.apart(node).external.clone();
        if let Some(middlebox) = self.nodes.middlebox_mut(node).filter(|_| !external.is_empty()) {
            let changed = middlebox.v4.nat.set_external(self.now, &external);
            debug_assert!(changed.is_ok(), "as many addresses as before: {changed:?}");
        }
        self.log_expired(node, Family::V4);
        self.release(node, Family::V4);
    }

    /// Binds to `new` what was bound to `old`.
    fn rebind(&mut self, node: NodeId, old: IpAddr, new: IpAddr) {
        let Some(host) = self.nodes.host_mut(node) else { return };
        let mut moved = Vec::new();
        host.bindings.retain(|endpoint, binding| {
            let stays = endpoint.ip != old;
            if !stays {
                moved.push((Endpoint::new(new, endpoint.port), *binding));
            }
            stays
        });
        for (endpoint, binding) in moved {
            host.bindings.insert(endpoint, binding);
        }
    }

    fn set_stopped(&mut self, node: NodeId, stopped: bool) {
        let Some(host) = self.nodes.host_mut(node) else { return };
        let was = std::mem::replace(&mut host.stopped, stopped);
        if stopped {
            host.bindings.retain(|_, binding| !binding.dynamic);
        } else if was {
            for program in &self.nodes.apart(node).programs {
                self.queue.push(self.now, Event::Start(*program));
            }
        }
    }
}

fn replace(addresses: &mut [IpAddr], old: IpAddr, new: IpAddr) {
    for address in addresses.iter_mut().filter(|address| **address == old) {
        *address = new;
    }
}
