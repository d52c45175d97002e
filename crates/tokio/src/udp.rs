//! UDP sockets.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use natbed_packet::Endpoint;
use tokio::io::{Interest, Ready};
use tokio::task::coop;

use crate::errno::Errno;
use crate::host::Host;
use crate::kernel::SocketId;
use crate::names::ToSocketAddrs;
use crate::network::State;

mod calls;
mod receive;
mod send;

pub(crate) use calls::Key;

/// A UDP socket of a [`Host`], with the API of `tokio::net::UdpSocket`.
///
/// Its errors are those of a Linux kernel: a port in use, an address that the host does not have, a connection that ICMP
/// refuses, a datagram that is too long. A datagram has to fit the interface's MTU, as 'don't fragment' is set on all of them;
/// what is too long for a link further on is dropped there, and a connected socket is told.
///
/// Up to 212,992 octets wait to be received, 768 for each datagram besides what it carries, as on Linux; the network drops
/// what comes then as `receive-queue-full`. As many can be sent in a millisecond of virtual time; more wait for the next.
///
/// It has no multicast, no broadcast, no devices and no file descriptor.
pub struct UdpSocket {
    host: Host,
    key: Key,
}

/// What a task waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Read,
    Write,
}

impl UdpSocket {
    pub(crate) fn new(host: Host, id: SocketId) -> Self {
        let key = Key { node: host.node(), kernel: host.kernel(), id };
        Self { host, key }
    }

    /// Binds a socket on the host that the caller runs on. 0.0.0.0 and :: are all its addresses, port 0 is the next free one. A
    /// socket on :: takes IPv4 too.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` as a kernel gives them; `NotFound` outside of a host ([`Host::run`]) and for names that
    /// the network does not have.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Host::current()?.bind(addr)
    }

    /// The host that it is on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.with(|state, key| state.socket(key, |socket| socket.shown(socket.local))).into())
    }

    /// Whom it is connected to.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer =
            self.with(|state, key| state.socket(key, |socket| socket.peer.map(|peer| socket.shown(peer))));
        Ok(peer.ok_or(Errno::NotConnected)?.into())
    }

    /// Connects it: [`send`](Self::send) goes there, nobody else is heard, and ICMP errors are.
    ///
    /// # Errors
    /// When no interface leads there.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let mut last = None;
        for addr in addr.resolve(self.host.network())? {
            match self.with(|state, key| state.connect(key, addr.into())) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error.into()),
            }
        }
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
        Err(last.unwrap_or_else(none))
    }

    /// Waits until it is readable, writable or has an error, as asked for.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| {
            let budget = ready!(coop::poll_proceed(cx));
            let found = self.with(|state, key| {
                let now = state.simulator().now();
                let found = state.socket(key, |socket| {
                    let mut found = Ready::EMPTY;
                    if interest.is_readable() && socket.is_readable() {
                        found |= Ready::READABLE;
                    }
                    if interest.is_writable() && socket.is_writable(now) {
                        found |= Ready::WRITABLE;
                    }
                    if interest.is_error() && socket.has_error() {
                        found |= Ready::ERROR;
                    }
                    found
                });
                if found.is_empty() {
                    if interest.is_readable() || interest.is_error() {
                        wait(state, key, Side::Read, cx);
                    }
                    if interest.is_writable() {
                        wait(state, key, Side::Write, cx);
                    }
                }
                found
            });
            if found.is_empty() {
                return Poll::Pending;
            }
            budget.made_progress();
            Poll::Ready(Ok(found))
        })
        .await
    }

    /// Waits until there is something to receive.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Takes the error that ICMP has reported, which the next call would return.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.with(|state, key| state.socket(key, crate::socket::Socket::take_error)).map(io::Error::from))
    }

    /// The hop limit of what it sends, 64 unless it was set.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.with(|state, key| state.socket(key, |socket| socket.hop_limit.into())))
    }

    /// Sets the hop limit of what it sends.
    ///
    /// # Errors
    /// When it is not 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = u8::try_from(ttl).ok().filter(|ttl| *ttl > 0).ok_or(Errno::Invalid)?;
        self.with(|state, key| state.socket(key, |socket| socket.hop_limit = ttl));
        Ok(())
    }

    /// The type of service (DSCP and ECN) of what it sends, 0 unless it was set.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.with(|state, key| state.socket(key, |socket| socket.traffic_class.into())))
    }

    /// Sets the type of service of what it sends.
    ///
    /// # Errors
    /// When it is more than an octet.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        let tos = u8::try_from(tos).map_err(|_| Errno::Invalid)?;
        self.with(|state, key| state.socket(key, |socket| socket.traffic_class = tos));
        Ok(())
    }

    fn with<R>(&self, act: impl FnOnce(&mut State, Key) -> R) -> R {
        self.host.network().with(|state| act(state, self.key))
    }

    /// Tries `call`, and has the task woken when there is a point in trying again.
    fn poll_call<R>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        call: impl FnOnce(&mut State, Key) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let budget = ready!(coop::poll_proceed(cx));
        self.with(|state, key| match call(state, key) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(state, key, side, cx);
                Poll::Pending
            }
            result => {
                budget.made_progress();
                Poll::Ready(result)
            }
        })
    }
}

fn wait(state: &mut State, key: Key, side: Side, cx: &Context<'_>) {
    match side {
        Side::Read => state.socket(key, |socket| socket.wait_to_read(cx.waker())),
        Side::Write => {
            state.await_drain();
            state.socket(key, |socket| socket.wait_to_write(cx.waker()));
        }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.with(State::close);
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.with(|state, key| state.socket(key, |socket| socket.local));
        f.debug_struct("UdpSocket").field("host", &self.host.name()).field("local", &local).finish()
    }
}

/// Addresses as the network has them.
fn endpoint(addr: SocketAddr) -> Endpoint {
    addr.into()
}
