//! Sending.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::{Side, UdpSocket, endpoint};
use crate::names::ToSocketAddrs;

impl UdpSocket {
    /// Sends a datagram to whom it is connected to; how long it was.
    ///
    /// # Errors
    /// Unless it is connected; what ICMP has reported about an earlier one; when it is too long.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// As [`send`](Self::send), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Side::Write, |state, key| state.send(key, None, buf))
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.with(|state, key| state.send(key, None, buf))
    }

    /// Sends a datagram to the first of the addresses; how long it was.
    ///
    /// # Errors
    /// When it is too long, or no interface leads there; for names that the network does not have.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let target = addr.resolve(self.host.network())?.next().ok_or_else(none)?;
        poll_fn(|cx| self.poll_send_to(cx, buf, target)).await
    }

    /// As [`send_to`](Self::send_to), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Side::Write, |state, key| state.send(key, Some(endpoint(target)), buf))
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.with(|state, key| state.send(key, Some(endpoint(target)), buf))
    }

    /// Polls until there is room to send.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_call(cx, Side::Write, |state, key| {
            let now = state.simulator().now();
            let ready = state.socket(key, |socket| socket.is_writable(now));
            if ready { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })
    }
}
