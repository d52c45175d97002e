//! One file of cases, compiled against tokio's own socket on the machine's loopback, and against natbed's: on a virtual host's
//! loopback, and between two virtual hosts.

#![expect(clippy::duplicate_mod, reason = "the same cases for every kind of socket")]

/// tokio's own.
#[path = "."]
mod real {
    use std::future::Future;
    use std::io;

    pub(crate) use tokio::net::UdpSocket;

    /// Where sockets are bound.
    pub(crate) const HERE: &str = "127.0.0.1:0";
    /// Whether no link limits what a datagram may carry.
    pub(crate) const BOUNDLESS: bool = true;

    pub(crate) fn run<F: Future<Output = io::Result<()>>>(case: F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(case).unwrap();
    }

    /// A socket for the other side.
    pub(crate) async fn there() -> UdpSocket {
        UdpSocket::bind(HERE).await.unwrap()
    }

    /// Waits until everything under way has arrived: on loopback, nothing is.
    pub(crate) async fn settle() {
        tokio::task::yield_now().await;
    }

    #[path = "cases.rs"]
    mod cases;
}

/// natbed's, on the loopback of one host.
#[path = "."]
mod loopback {
    use std::future::Future;
    use std::io;

    pub(crate) use natbed_tokio::UdpSocket;

    pub(crate) const HERE: &str = "127.0.0.1:0";
    pub(crate) const BOUNDLESS: bool = true;

    pub(crate) fn run<F: Future<Output = io::Result<()>>>(case: F) {
        crate::run(case);
    }

    pub(crate) async fn there() -> UdpSocket {
        UdpSocket::bind(HERE).await.unwrap()
    }

    pub(crate) async fn settle() {
        crate::settle().await;
    }

    #[path = "cases.rs"]
    mod cases;
}

/// natbed's, between two hosts.
#[path = "."]
mod network {
    use std::future::Future;
    use std::io;

    pub(crate) use natbed_tokio::UdpSocket;

    pub(crate) const HERE: &str = "203.0.113.1:0";
    pub(crate) const BOUNDLESS: bool = false;

    pub(crate) fn run<F: Future<Output = io::Result<()>>>(case: F) {
        crate::run(case);
    }

    pub(crate) async fn there() -> UdpSocket {
        let bob = natbed_tokio::Host::current().unwrap().network().host("bob").unwrap();
        bob.bind("203.0.113.2:0").unwrap()
    }

    pub(crate) async fn settle() {
        crate::settle().await;
    }

    #[path = "cases.rs"]
    mod cases;
}

fn run(case: impl Future<Output = std::io::Result<()>>) {
    let text = "format = 1\n[host.alice]\naddress = '203.0.113.1'\n[host.bob]\naddress = '203.0.113.2'\n";
    let harness = natbed_tokio::Harness::parse(text).unwrap();
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(case)).unwrap();
}

async fn settle() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}
