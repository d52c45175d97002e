//! Receiving. A datagram that is longer than the buffer is cut off, as a kernel does.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use natbed_packet::Endpoint;
use tokio::io::ReadBuf;

use super::{Key, Side, UdpSocket};
use crate::network::State;

/// How a call receives. As in tokio, only the calls that wait by themselves return an error that has come without a datagram:
/// the others go by whether the socket is readable, which an error does not make it.
#[derive(Clone, Copy)]
struct Mode {
    take: bool,
    heeds_errors: bool,
}

const RECEIVE: Mode = Mode { take: true, heeds_errors: true };
const POLL: Mode = Mode { take: true, heeds_errors: false };
const PEEK: Mode = Mode { take: false, heeds_errors: true };
const POLL_PEEK: Mode = Mode { take: false, heeds_errors: false };

impl UdpSocket {
    /// Receives a datagram; how much of it is in `buf`. A call that is dropped before has taken none.
    ///
    /// # Errors
    /// What ICMP has reported, if it is connected.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, RECEIVE, |data, _| fill(buf, data))).await
    }

    /// As [`recv`](Self::recv), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_fill(cx, POLL, |data, _| put(buf, data))
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_fill(POLL, |data, _| fill(buf, data))
    }

    /// As [`recv`](Self::recv), into the spare room of a buffer.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, RECEIVE, |data, _| append(buf, data))).await
    }

    /// As [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.try_fill(POLL, |data, _| append(buf, data))
    }

    /// Receives a datagram; how much of it is in `buf`, and who sent it.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_fill(cx, RECEIVE, |data, from| (fill(buf, data), from))).await
    }

    /// As [`recv_from`](Self::recv_from), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_fill(cx, POLL, |data, from| {
            put(buf, data);
            from
        })
    }

    /// As [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_fill(POLL, |data, from| (fill(buf, data), from))
    }

    /// As [`recv_from`](Self::recv_from), into the spare room of a buffer.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_fill(cx, RECEIVE, |data, from| (append(buf, data), from))).await
    }

    /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.try_fill(POLL, |data, from| (append(buf, data), from))
    }

    /// Polls until there is something to receive.
    ///
    /// # Errors
    /// None; tokio has a result here.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_call(cx, Side::Read, |state, key| {
            let ready = state.socket(key, |socket| socket.is_readable());
            if ready { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })
    }

    /// As [`recv`](Self::recv), but the datagram stays to be received.
    ///
    /// # Errors
    /// As there.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, PEEK, |data, _| fill(buf, data))).await
    }

    /// As [`peek`](Self::peek), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_fill(cx, POLL_PEEK, |data, _| put(buf, data))
    }

    /// As [`peek`](Self::peek), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_fill(POLL_PEEK, |data, _| fill(buf, data))
    }

    /// As [`recv_from`](Self::recv_from), but the datagram stays to be received.
    ///
    /// # Errors
    /// As there.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_fill(cx, PEEK, |data, from| (fill(buf, data), from))).await
    }

    /// As [`peek_from`](Self::peek_from), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_fill(cx, POLL_PEEK, |data, from| {
            put(buf, data);
            from
        })
    }

    /// As [`peek_from`](Self::peek_from), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_fill(POLL_PEEK, |data, from| (fill(buf, data), from))
    }

    /// Who sent the next datagram, which stays to be received.
    ///
    /// # Errors
    /// As [`peek_from`](Self::peek_from).
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        poll_fn(|cx| self.poll_fill(cx, PEEK, |_, from| from)).await
    }

    /// As [`peek_sender`](Self::peek_sender), for those who poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_fill(cx, POLL_PEEK, |_, from| from)
    }

    /// As [`peek_sender`](Self::peek_sender), without waiting.
    ///
    /// # Errors
    /// As there, and `WouldBlock`.
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_fill(POLL_PEEK, |_, from| from)
    }

    fn poll_fill<R>(
        &self,
        cx: &mut Context<'_>,
        mode: Mode,
        fill: impl FnOnce(&[u8], SocketAddr) -> R,
    ) -> Poll<io::Result<R>> {
        let next = self.poll_call(cx, Side::Read, |state, key| next(state, key, mode));
        next.map_ok(|(from, data)| fill(&data, from.into()))
    }

    fn try_fill<R>(&self, mode: Mode, fill: impl FnOnce(&[u8], SocketAddr) -> R) -> io::Result<R> {
        let (from, data) = self.with(|state, key| next(state, key, mode))?;
        Ok(fill(&data, from.into()))
    }
}

/// The next datagram and its sender, as the program sees it.
fn next(state: &mut State, key: Key, mode: Mode) -> io::Result<(Endpoint, Bytes)> {
    state.socket(key, |socket| {
        let next = if mode.heeds_errors || socket.is_readable() { socket.next(mode.take)? } else { None };
        let (from, data) = next.ok_or(io::ErrorKind::WouldBlock)?;
        Ok((socket.shown(from), data))
    })
}

fn fill(buf: &mut [u8], data: &[u8]) -> usize {
    let length = data.len().min(buf.len());
    buf[..length].copy_from_slice(&data[..length]);
    length
}

fn put(buf: &mut ReadBuf<'_>, data: &[u8]) {
    buf.put_slice(&data[..data.len().min(buf.remaining())]);
}

/// As much as there is room for without growing, as tokio does.
fn append(buf: &mut impl BufMut, data: &[u8]) -> usize {
    let length = data.len().min(buf.chunk_mut().len());
    buf.put_slice(&data[..length]);
    length
}
