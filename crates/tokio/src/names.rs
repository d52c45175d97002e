//! Names of the network and the addresses they stand for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::host::Host;
use crate::network::Network;

/// What stands for one or more socket addresses, as tokio's trait of this name. A text may name a host, server or NAT of
/// the network: `"stun1:3478"`. A name stands for the addresses that the node has at the time, wherever it is asked for:
/// that of a host behind a NAT for its private one, that of a NAT for its external one.
pub trait ToSocketAddrs: Resolve {}

impl<T: Resolve + ?Sized> ToSocketAddrs for T {}

/// The addresses that `host` stands for on the network of the caller's host.
///
/// # Errors
/// When the network has no such name, and outside of a host.
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    host.resolve(Host::current()?.network())
}

/// How it resolves; nobody else can implement it, so that it may grow.
pub trait Resolve {
    #[doc(hidden)]
    fn resolve(&self, network: &Network) -> io::Result<Addresses>;
}

/// Addresses, one after the other. One needs no memory of its own.
#[derive(Clone, Debug)]
pub struct Addresses {
    first: Option<SocketAddr>,
    rest: std::vec::IntoIter<SocketAddr>,
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.first.take().or_else(|| self.rest.next())
    }
}

fn one(addr: SocketAddr) -> io::Result<Addresses> {
    Ok(Addresses { first: Some(addr), rest: Vec::new().into_iter() })
}

fn named(host: &str, port: u16, network: &Network) -> io::Result<Addresses> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return one(SocketAddr::new(ip, port));
    }
    let ips = if host.eq_ignore_ascii_case("localhost") {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        let found = network.with(|state| state.addresses(host));
        found.map_err(|unknown| io::Error::new(io::ErrorKind::NotFound, unknown))?
    };
    let addrs: Vec<SocketAddr> = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Ok(Addresses { first: None, rest: addrs.into_iter() })
}

impl Resolve for SocketAddr {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one(*self)
    }
}

impl Resolve for SocketAddrV4 {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one((*self).into())
    }
}

impl Resolve for SocketAddrV6 {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one((*self).into())
    }
}

impl Resolve for (IpAddr, u16) {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one((*self).into())
    }
}

impl Resolve for (Ipv4Addr, u16) {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one((*self).into())
    }
}

impl Resolve for (Ipv6Addr, u16) {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        one((*self).into())
    }
}

impl Resolve for [SocketAddr] {
    fn resolve(&self, _network: &Network) -> io::Result<Addresses> {
        Ok(Addresses { first: None, rest: Vec::from(self).into_iter() })
    }
}

impl Resolve for str {
    fn resolve(&self, network: &Network) -> io::Result<Addresses> {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return one(addr);
        }
        let parts = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) =
            parts.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "invalid socket address"))?;
        named(host, port, network)
    }
}

impl Resolve for (&str, u16) {
    fn resolve(&self, network: &Network) -> io::Result<Addresses> {
        named(self.0, self.1, network)
    }
}

impl Resolve for String {
    fn resolve(&self, network: &Network) -> io::Result<Addresses> {
        self.as_str().resolve(network)
    }
}

impl Resolve for (String, u16) {
    fn resolve(&self, network: &Network) -> io::Result<Addresses> {
        named(&self.0, self.1, network)
    }
}

impl<T: Resolve + ?Sized> Resolve for &T {
    fn resolve(&self, network: &Network) -> io::Result<Addresses> {
        (**self).resolve(network)
    }
}
