//! Errors as the operating system gives them for a socket.

use std::io;

/// What is wrong, by its POSIX name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errno {
    AddressInUse,
    AddressNotAvailable,
    FamilyNotSupported,
    ConnectionRefused,
    DestinationRequired,
    HostUnreachable,
    Invalid,
    MessageSize,
    NetworkDown,
    NetworkUnreachable,
    NotConnected,
}

#[cfg(unix)]
impl From<Errno> for io::Error {
    fn from(value: Errno) -> Self {
        Self::from_raw_os_error(match value {
            Errno::AddressInUse => libc::EADDRINUSE,
            Errno::AddressNotAvailable => libc::EADDRNOTAVAIL,
            Errno::FamilyNotSupported => libc::EAFNOSUPPORT,
            Errno::ConnectionRefused => libc::ECONNREFUSED,
            Errno::DestinationRequired => libc::EDESTADDRREQ,
            Errno::HostUnreachable => libc::EHOSTUNREACH,
            Errno::Invalid => libc::EINVAL,
            Errno::MessageSize => libc::EMSGSIZE,
            Errno::NetworkDown => libc::ENETDOWN,
            Errno::NetworkUnreachable => libc::ENETUNREACH,
            Errno::NotConnected => libc::ENOTCONN,
        })
    }
}

#[cfg(not(unix))]
impl From<Errno> for io::Error {
    fn from(value: Errno) -> Self {
        let (kind, text) = match value {
            Errno::AddressInUse => (io::ErrorKind::AddrInUse, "address already in use"),
            Errno::AddressNotAvailable => (io::ErrorKind::AddrNotAvailable, "address not available"),
            Errno::FamilyNotSupported => (io::ErrorKind::Unsupported, "address family not supported"),
            Errno::ConnectionRefused => (io::ErrorKind::ConnectionRefused, "connection refused"),
            Errno::DestinationRequired => (io::ErrorKind::NotConnected, "destination address required"),
            Errno::HostUnreachable => (io::ErrorKind::HostUnreachable, "no route to host"),
            Errno::Invalid => (io::ErrorKind::InvalidInput, "invalid argument"),
            Errno::MessageSize => (io::ErrorKind::InvalidInput, "message too long"),
            Errno::NetworkDown => (io::ErrorKind::NetworkDown, "network is down"),
            Errno::NetworkUnreachable => (io::ErrorKind::NetworkUnreachable, "network is unreachable"),
            Errno::NotConnected => (io::ErrorKind::NotConnected, "socket is not connected"),
        };
        Self::new(kind, text)
    }
}
