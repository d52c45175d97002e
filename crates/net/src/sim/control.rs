//! Faults as they strike.

use std::net::IpAddr;

use natbed_packet::{Endpoint, Family};

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
                for id in self.nodes[node.index()].interfaces.clone().iter() {
                    let interface = &mut self.interfaces[id.index()];
                    interface.up.configure(*link);
                    interface.down.configure(*link);
                }
            }
            Fault::ChangeAddress { node, old, new } => self.change_address(*node, *old, *new),
            Fault::Stop(node) => self.set_stopped(*node, true),
            Fault::Start(node) => self.set_stopped(*node, false),
        }
    }

    fn reboot(&mut self, node: NodeId) {
        if let Kind::Nat(middlebox) = &mut self.nodes[node.index()].kind {
            middlebox.v4.nat.reboot(self.now);
            if let Some(firewall) = &mut middlebox.v6 {
                firewall.nat.reboot(self.now);
            }
        }
        self.log_expired(node, Family::V4);
        self.log_expired(node, Family::V6);
    }

    fn set_links(&mut self, node: NodeId, up: bool) {
        for id in self.nodes[node.index()].interfaces.clone().iter() {
            let interface = &mut self.interfaces[id.index()];
            interface.up.set_up(up);
            interface.down.set_up(up);
        }
    }

    fn change_address(&mut self, node: NodeId, old: IpAddr, new: IpAddr) {
        let has_old = |id: &InterfaceId| self.interfaces[id.index()].addresses.contains(&old);
        let Some(id) = self.nodes[node.index()].interfaces.iter().find(has_old) else { return };
        let interface = &mut self.interfaces[id.index()];
        for address in interface.addresses.iter_mut().filter(|address| **address == old) {
            *address = new;
        }
        let network = interface.network;
        self.routes.remove_station(network, old);
        self.routes.add_station(network, new, id);
        match &mut self.nodes[node.index()].kind {
            Kind::Nat(middlebox) => {
                for address in middlebox.external.iter_mut().filter(|address| **address == old) {
                    *address = new;
                }
                if !middlebox.external.is_empty() {
                    let changed = middlebox.v4.nat.set_external(self.now, &middlebox.external);
                    debug_assert!(changed.is_ok(), "as many addresses as before: {changed:?}");
                }
                self.log_expired(node, Family::V4);
            }
            Kind::Host(host) => {
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
                for program in host.programs.clone() {
                    self.input(program, Input::AddressChanged { old, new }, None);
                }
            }
        }
    }

    fn set_stopped(&mut self, node: NodeId, stopped: bool) {
        let Kind::Host(host) = &mut self.nodes[node.index()].kind else { return };
        let was = std::mem::replace(&mut host.stopped, stopped);
        if stopped {
            host.bindings.retain(|_, binding| !binding.dynamic);
        } else if was {
            for program in host.programs.clone() {
                self.queue.push(self.now, Event::Start(program));
            }
        }
    }
}
