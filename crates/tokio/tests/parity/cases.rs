//! What a UDP socket does, whoever's it is.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{Interest, ReadBuf};

use super::{BOUNDLESS, HERE, UdpSocket, run, settle, there};

async fn here() -> io::Result<UdpSocket> {
    UdpSocket::bind(HERE).await
}

/// Two sockets, connected to each other.
async fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (a, b) = (here().await?, there().await);
    a.connect(b.local_addr()?).await?;
    b.connect(a.local_addr()?).await?;
    Ok((a, b))
}

/// A socket that is connected to a port that nobody has any more.
async fn to_a_closed_port() -> io::Result<UdpSocket> {
    let (a, gone) = (here().await?, there().await);
    a.connect(gone.local_addr()?).await?;
    drop(gone);
    Ok(a)
}

async fn received(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; 70_000];
    let length = socket.recv(&mut buf).await?;
    buf.truncate(length);
    Ok(buf)
}

fn code(result: io::Result<usize>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn datagrams_go_there_and_back() {
    run(async {
        let (a, b) = (here().await?, there().await);
        assert_ne!(a.local_addr()?.port(), 0);
        assert_eq!(a.send_to(b"ping", b.local_addr()?).await?, 4);
        let mut buf = [0; 16];
        assert_eq!(b.recv_from(&mut buf).await?, (4, a.local_addr()?));
        assert_eq!(&buf[..4], b"ping");
        b.send_to(b"pong!", (a.local_addr()?.ip(), a.local_addr()?.port())).await?;
        assert_eq!(a.recv_from(&mut buf).await?, (5, b.local_addr()?));
        Ok(())
    });
}

#[test]
fn an_address_is_bound_once_and_only_where_it_is() {
    run(async {
        let a = here().await?;
        let taken = UdpSocket::bind(a.local_addr()?).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        let everywhere = format!("0.0.0.0:{}", a.local_addr()?.port());
        assert_eq!(UdpSocket::bind(everywhere).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        let foreign = UdpSocket::bind("192.0.2.77:0").await.unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
        Ok(())
    });
}

#[test]
fn the_first_address_that_can_be_bound_is() {
    run(async {
        let a = here().await?;
        let addrs = [a.local_addr()?, HERE.parse().unwrap()];
        assert_ne!(UdpSocket::bind(&addrs[..]).await?.local_addr()?, a.local_addr()?);
        assert_eq!(UdpSocket::bind(&addrs[..0]).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UdpSocket::bind("nonsense").await.unwrap_err().kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_closed_port_refuses_a_connected_socket_once() {
    run(async {
        let a = to_a_closed_port().await?;
        assert_eq!(a.send(b"anyone?").await?, 7);
        assert_eq!(received(&a).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(a.take_error()?.is_none());
        a.writable().await?;
        assert_eq!(a.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        Ok(())
    });
}

#[test]
fn a_refusal_reaches_whichever_call_comes_next() {
    run(async {
        let a = to_a_closed_port().await?;
        a.send(b"one").await?;
        assert!(a.ready(Interest::ERROR).await?.is_error());
        assert_eq!(a.send(b"two").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        a.send(b"three").await?;
        settle().await;
        let taken = a.take_error()?.map(|error| error.kind());
        assert_eq!(taken, Some(ErrorKind::ConnectionRefused));
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_alone_makes_no_socket_readable() {
    run(async {
        let a = to_a_closed_port().await?;
        a.send(b"anyone?").await?;
        a.ready(Interest::READABLE | Interest::ERROR).await?;
        let mut cx = Context::from_waker(Waker::noop());
        assert!(a.poll_recv(&mut cx, &mut ReadBuf::new(&mut [0; 8])).is_pending());
        assert_eq!(a.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(received(&a).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn a_socket_that_is_not_connected_hears_of_no_closed_port() {
    run(async {
        let (a, b, gone) = (here().await?, there().await, there().await);
        let closed = gone.local_addr()?;
        drop(gone);
        a.send_to(b"anyone?", closed).await?;
        settle().await;
        b.send_to(b"me", a.local_addr()?).await?;
        assert_eq!(received(&a).await?, b"me");
        assert!(a.take_error()?.is_none());
        Ok(())
    });
}

#[test]
fn a_datagram_has_its_longest_length() {
    run(async {
        let (a, b) = (here().await?, there().await);
        let to = b.local_addr()?;
        assert_eq!(code(a.send_to(&[1; 65_508], to).await), Some(libc::EMSGSIZE));
        assert_eq!(code(a.send_to(&[1; 70_000], to).await), Some(libc::EMSGSIZE));
        if BOUNDLESS {
            assert_eq!(a.send_to(&[1; 65_507], to).await?, 65_507);
            assert_eq!(received(&b).await?.len(), 65_507);
        } else {
            assert_eq!(code(a.send_to(&[1; 1_473], to).await), Some(libc::EMSGSIZE));
            assert_eq!(a.send_to(&[1; 1_472], to).await?, 1_472);
            assert_eq!(received(&b).await?.len(), 1_472);
        }
        Ok(())
    });
}

#[test]
fn what_does_not_fit_the_buffer_is_cut_off() {
    run(async {
        let (a, b) = pair().await?;
        for data in ["0123456789", "", "next", "last"] {
            a.send(data.as_bytes()).await?;
        }
        let mut four = [0; 4];
        assert_eq!((b.recv(&mut four).await?, &four), (4, b"0123"));
        assert_eq!(b.recv(&mut four).await?, 0);
        assert_eq!(b.recv(&mut []).await?, 0);
        assert_eq!((b.recv(&mut four).await?, &four), (4, b"last"));
        Ok(())
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    run(async {
        let (a, b) = pair().await?;
        let stranger = there().await;
        stranger.connect(a.local_addr()?).await?;
        stranger.send(b"psst").await?;
        assert_eq!(received(&stranger).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        b.send(b"me").await?;
        assert_eq!(received(&a).await?, b"me");
        assert_eq!(a.peer_addr()?, b.local_addr()?);
        Ok(())
    });
}

#[test]
fn a_socket_may_connect_to_another_peer() {
    run(async {
        let (a, b) = pair().await?;
        let c = there().await;
        a.connect(c.local_addr()?).await?;
        c.send_to(b"me", a.local_addr()?).await?;
        assert_eq!(received(&a).await?, b"me");
        a.send(b"you").await?;
        assert_eq!(received(&c).await?, b"you");
        b.send(b"still there?").await?;
        assert_eq!(received(&b).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_connected_socket_may_send_to_others() {
    run(async {
        let (a, _b) = pair().await?;
        let c = there().await;
        a.send_to(b"you", c.local_addr()?).await?;
        assert_eq!(received(&c).await?, b"you");
        Ok(())
    });
}

#[test]
fn connecting_settles_the_address() {
    run(async {
        let (a, b) = (UdpSocket::bind("0.0.0.0:0").await?, there().await);
        assert!(a.local_addr()?.ip().is_unspecified());
        a.connect(b.local_addr()?).await?;
        let here: std::net::SocketAddr = HERE.parse().unwrap();
        assert_eq!(a.local_addr()?.ip(), here.ip());
        b.send_to(b"you", a.local_addr()?).await?;
        assert_eq!(received(&a).await?, b"you");
        Ok(())
    });
}

#[test]
fn sending_needs_somebody_to_send_to() {
    run(async {
        let a = here().await?;
        assert_eq!(code(a.send(b"you").await), Some(libc::EDESTADDRREQ));
        assert_eq!(a.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(code(a.send_to(b"you", "127.0.0.1:0").await), Some(libc::EINVAL));
        let six = a.send_to(b"you", "[::1]:9").await;
        assert_eq!(code(six), Some(libc::EAFNOSUPPORT));
        Ok(())
    });
}

#[test]
fn trying_does_not_wait() {
    run(async {
        let (a, b) = pair().await?;
        let mut buf = [0; 8];
        a.writable().await?;
        for blocked in [
            a.try_recv(&mut buf).map(drop),
            a.try_recv_from(&mut buf).map(drop),
            a.try_peek(&mut buf).map(drop),
            a.try_peek_from(&mut buf).map(drop),
            a.try_peek_sender().map(drop),
            a.try_recv_buf(&mut Vec::with_capacity(8)).map(drop),
        ] {
            assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(a.try_send(b"one")?, 3);
        assert_eq!(a.try_send_to(b"second", b.local_addr()?)?, 6);
        settle().await;
        b.readable().await?;
        assert_eq!(b.try_peek(&mut buf)?, 3);
        assert_eq!(b.try_peek_sender()?, a.local_addr()?);
        assert_eq!(b.try_recv(&mut buf)?, 3);
        assert_eq!(b.try_recv_from(&mut buf)?, (6, a.local_addr()?));
        assert_eq!(b.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        Ok(())
    });
}

#[test]
fn readiness_says_what_can_be_done() {
    run(async {
        let (a, b) = pair().await?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = a.ready(both).await?;
        assert_eq!((ready.is_readable(), ready.is_writable()), (false, true));
        b.send(b"you").await?;
        settle().await;
        a.readable().await?;
        let ready = a.ready(both).await?;
        assert_eq!((ready.is_readable(), ready.is_writable()), (true, true));
        poll_fn(|cx| a.poll_recv_ready(cx)).await?;
        poll_fn(|cx| a.poll_send_ready(cx)).await?;
        Ok(())
    });
}

#[test]
fn peeking_takes_nothing() {
    run(async {
        let (a, b) = pair().await?;
        a.send(b"one").await?;
        let mut buf = [0; 2];
        for _ in 0..2 {
            assert_eq!((b.peek(&mut buf).await?, &buf), (2, b"on"));
            assert_eq!(b.peek_from(&mut buf).await?, (2, a.local_addr()?));
            assert_eq!(b.peek_sender().await?, a.local_addr()?);
        }
        assert_eq!(received(&b).await?, b"one");
        Ok(())
    });
}

#[test]
fn polling_and_buffers_are_other_ways_to_the_same() {
    run(async {
        let (a, b) = pair().await?;
        let to = b.local_addr()?;
        assert_eq!(poll_fn(|cx| a.poll_send(cx, b"one")).await?, 3);
        assert_eq!(poll_fn(|cx| a.poll_send_to(cx, b"two!", to)).await?, 4);
        a.send(b"three").await?;
        a.send(b"sixth").await?;
        let mut bytes = [0; 8];
        let mut buf = ReadBuf::new(&mut bytes);
        let from = poll_fn(|cx| b.poll_peek_from(cx, &mut buf)).await?;
        assert_eq!((buf.filled(), from), (&b"one"[..], a.local_addr()?));
        poll_fn(|cx| b.poll_recv(cx, &mut buf)).await?;
        poll_fn(|cx| b.poll_recv_from(cx, &mut buf)).await?;
        assert_eq!(buf.filled(), b"oneonetw", "appended, and cut off");
        let mut spare = Vec::with_capacity(8);
        assert_eq!(b.recv_buf(&mut spare).await?, 5);
        assert_eq!(b.recv_buf_from(&mut spare).await?, (3, a.local_addr()?));
        assert_eq!(spare, b"threesix");
        Ok(())
    });
}

#[test]
fn a_receive_that_is_dropped_has_taken_nothing() {
    run(async {
        let (a, b) = pair().await?;
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let mut cx = Context::from_waker(Waker::noop());
        let mut later = Box::pin(b.recv(&mut second));
        {
            let mut early = pin!(b.recv(&mut first));
            assert!(early.as_mut().poll(&mut cx).is_pending());
            assert!(later.as_mut().poll(&mut cx).is_pending());
        }
        for data in ["one", "two"] {
            a.send(data.as_bytes()).await?;
        }
        assert_eq!(later.as_mut().await?, 3);
        drop(later);
        assert_eq!(&second[..3], b"one");
        assert_eq!(received(&b).await?, b"two");
        Ok(())
    });
}

#[test]
fn tasks_may_share_a_socket() {
    run(async {
        let (a, b) = pair().await?;
        let b = Arc::new(b);
        let tasks = [Arc::clone(&b), b].map(|b| tokio::spawn(async move { received(&b).await }));
        tokio::task::yield_now().await;
        a.send(b"one").await?;
        a.send(b"two").await?;
        let mut heard = Vec::new();
        for task in tasks {
            heard.push(task.await.unwrap()?);
        }
        heard.sort();
        assert_eq!(heard, [b"one", b"two"]);
        Ok(())
    });
}

#[test]
fn a_dropped_socket_gives_its_port_back() {
    run(async {
        let a = here().await?;
        let at = a.local_addr()?;
        drop(a);
        UdpSocket::bind(at).await?;
        Ok(())
    });
}

#[test]
fn sockets_of_a_task_that_ends_are_closed() {
    run(async {
        let (a, b) = pair().await?;
        let at = b.local_addr()?;
        let task = tokio::spawn(async move { received(&b).await });
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        a.send(b"anyone?").await?;
        assert_eq!(received(&a).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(a.peer_addr()?, at);
        Ok(())
    });
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    run(async {
        let (a, b) = pair().await?;
        let total: u32 = 2_000;
        for number in 0..total {
            let mut data = [0; 1_000];
            data[..4].copy_from_slice(&number.to_be_bytes());
            a.send(&data).await?;
        }
        settle().await;
        b.readable().await?;
        let (mut kept, mut buf) = (Vec::new(), [0; 1_000]);
        while let Ok(length) = b.try_recv(&mut buf) {
            assert_eq!(length, 1_000);
            kept.push(u32::from_be_bytes(buf[..4].try_into().unwrap()));
        }
        let count = u32::try_from(kept.len()).unwrap();
        assert!((10..total).contains(&count), "{count} of {total} kept");
        assert!(kept.into_iter().eq(0..count), "the first ones, in order");
        a.send(b"room again").await?;
        assert_eq!(received(&b).await?, b"room again");
        Ok(())
    });
}

#[test]
fn the_hop_limit_can_be_set() {
    run(async {
        let a = here().await?;
        a.set_ttl(7)?;
        assert_eq!(a.ttl()?, 7);
        for wrong in [0, 256] {
            assert_eq!(a.set_ttl(wrong).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
        a.set_tos_v4(0x10)?;
        assert_eq!(a.tos_v4()?, 0x10);
        Ok(())
    });
}

#[test]
fn a_wait_ends_when_something_comes() {
    run(async {
        let (a, b) = pair().await?;
        let mut buf = [0; 8];
        let mut wait = pin!(b.recv(&mut buf));
        poll_fn(|cx| {
            assert!(wait.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        a.send(b"one").await?;
        assert_eq!(wait.await?, 3);
        Ok(())
    });
}
