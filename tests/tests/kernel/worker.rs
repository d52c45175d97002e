//! A process that sends and receives inside one namespace, told what to do line by line.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use natbed_packet::Endpoint;
use socket2::{Domain, Protocol, Socket, Type};

/// The variable that makes this test binary a worker; its value is the endpoint of its marker socket.
const ROLE: &str = "NATBED_KERNEL_WORKER";

/// The name of the test that serves as the worker's program.
const PROGRAM: &str = "worker_program";

/// The protocol of a raw socket whose packets bring their own IP headers (raw(7)).
const IPPROTO_RAW: i32 = 255;

/// The reply when no marker came.
const LATE: &str = "late";

/// A packet that reached a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The receiving socket, by its place.
    pub(crate) socket: usize,
    pub(crate) source: Endpoint,
    /// The number that the packet carries.
    pub(crate) number: u64,
}

/// A worker, from outside.
pub(crate) struct Worker {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker in `namespace`, bound to one CPU: packets keep their order there.
    pub(crate) fn start(namespace: &str, cpu: &str, marker: Endpoint) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace, "taskset", "-c", cpu])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", PROGRAM, "--nocapture"])
            .env(ROLE, marker.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, replies) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut worker = Self { child, commands, replies: BufReader::new(replies) };
        while worker.reply() != "ready" {}
        worker
    }

    /// Closes all sockets but the marker's and opens these.
    pub(crate) fn open(&mut self, sockets: &[Endpoint]) {
        let list: Vec<String> = sockets.iter().map(ToString::to_string).collect();
        self.command(&format!("open {}\n", list.join(" ")));
        assert_eq!(self.reply(), "opened");
    }

    /// Sends `number` from a socket, and after it a marker along a path that is known to be open.
    pub(crate) fn send(&mut self, socket: usize, to: Endpoint, marker_to: Endpoint, number: u64) {
        self.command(&format!("send {socket} {to} {number}\nmark {marker_to} {number}\n"));
    }

    /// Sends the octets of whole packets, and after them a marker.
    pub(crate) fn send_raw(&mut self, packets: &[Vec<u8>], marker_to: Endpoint, number: u64) {
        let octets = |packet: &Vec<u8>| packet.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let raw: String = packets.iter().map(|packet| format!("raw {}\n", octets(packet))).collect();
        self.command(&format!("{raw}mark {marker_to} {number}\n"));
    }

    /// Sends a marker.
    pub(crate) fn mark(&mut self, to: Endpoint, number: u64) {
        self.command(&format!("mark {to} {number}\n"));
    }

    /// Waits for the marker, by when everything that was sent before it has arrived or never will. Returns where the
    /// marker came from and what has arrived; `None` if the marker does not come for a while.
    pub(crate) fn wait(&mut self, number: u64) -> Option<(Endpoint, Vec<Arrival>)> {
        self.command(&format!("wait {number}\n"));
        let reply = self.reply();
        if reply == LATE {
            return None;
        }
        let mut words = reply.split(' ');
        let marker = words.next().unwrap().parse().unwrap();
        let mut arrivals = Vec::new();
        while let Some(socket) = words.next() {
            let (socket, source) = (socket.parse().unwrap(), words.next().unwrap().parse().unwrap());
            arrivals.push(Arrival { socket, source, number: words.next().unwrap().parse().unwrap() });
        }
        Some((marker, arrivals))
    }

    fn command(&mut self, lines: &str) {
        self.commands.write_all(lines.as_bytes()).unwrap();
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.replies.read_line(&mut line).unwrap(), 0, "a worker gave up");
        line.truncate(line.trim_end().len());
        line
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It is gone already if it gave up.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Serves if this process is to be a worker.
#[expect(clippy::disallowed_methods, reason = "its arguments belong to the test harness")]
pub(crate) fn serve_if_worker() {
    if let Ok(marker) = std::env::var(ROLE) {
        serve(marker.parse().unwrap()).unwrap();
    }
}

fn serve(marker: SocketAddr) -> io::Result<()> {
    let marker = UdpSocket::bind(marker)?;
    marker.set_read_timeout(Some(Duration::from_secs(1)))?;
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW)))?;
    let mut sockets = Vec::new();
    reply("\nready")?;
    for line in io::stdin().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["open", ref endpoints @ ..] => {
                sockets.clear();
                sockets = endpoints.iter().map(|endpoint| open(endpoint)).collect::<io::Result<Vec<_>>>()?;
                reply("opened")?;
            }
            ["send", socket, to, number] => {
                send(&sockets[socket.parse::<usize>().unwrap()], to, number)?;
            }
            ["raw", packet] => send_raw(&raw, packet)?,
            ["mark", to, number] => send(&marker, to, number)?,
            ["wait", number] => {
                let Some(source) = await_marker(&marker, number)? else {
                    reply(LATE)?;
                    continue;
                };
                let mut text = source.to_string();
                for (place, socket) in sockets.iter().enumerate() {
                    while let Some((source, number)) = receive(socket)? {
                        text += &format!(" {place} {source} {number}");
                    }
                }
                reply(&text)?;
            }
            _ => unreachable!("{line}"),
        }
    }
    Ok(())
}

fn open(endpoint: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(endpoint)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send(socket: &UdpSocket, to: &str, number: &str) -> io::Result<()> {
    socket.send_to(number.as_bytes(), to).map(drop)
}

/// Sends a packet that is there from its IP header on, in hexadecimal.
fn send_raw(socket: &Socket, packet: &str) -> io::Result<()> {
    let octet = |at: usize| u8::from_str_radix(&packet[at..at + 2], 16).unwrap();
    let packet: Vec<u8> = (0..packet.len()).step_by(2).map(octet).collect();
    let destination = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
    socket.send_to(&packet, &SocketAddr::from((destination, 0)).into()).map(drop)
}

fn await_marker(marker: &UdpSocket, number: &str) -> io::Result<Option<SocketAddr>> {
    while let Some((source, received)) = receive(marker)? {
        if received == number {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

/// Source and number of the next packet; `None` if there is none, or none for as long as the socket waits.
fn receive(socket: &UdpSocket) -> io::Result<Option<(SocketAddr, String)>> {
    let mut packet = [0; 8192];
    match socket.recv_from(&mut packet) {
        Ok((length, source)) => {
            let text = String::from_utf8_lossy(&packet[..length]);
            let number = text.split(' ').next().unwrap_or_default();
            Ok(Some((source, number.to_owned())))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn reply(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}
