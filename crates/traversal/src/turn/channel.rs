//! Channels: short headers for one peer (RFC 8656 section 12).

use std::ops::RangeInclusive;
use std::time::Duration;

use natbed_packet::{Family, Timestamp};

use super::PeerSocket;
use super::small_map::SmallMap;

/// The numbers that a channel may have (RFC 8656 section 12).
pub const CHANNEL_NUMBERS: RangeInclusive<u16> = 0x4000..=0x4FFF;
/// "A channel binding lasts for 10 minutes unless refreshed" (RFC 8656 section 12).
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// A ChannelData message (RFC 8656 section 12.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel, one of [`CHANNEL_NUMBERS`].
    pub number: u16,
    /// The application data.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Reads a datagram; `None` if the number is not a channel's or the datagram is shorter than it claims. Padding is
    /// ignored (RFC 8656 sections 12.5 and 12.6).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<4>()?;
        let number = u16::from_be_bytes([header[0], header[1]]);
        let data = rest.get(..usize::from(u16::from_be_bytes([header[2], header[3]])))?;
        CHANNEL_NUMBERS.contains(&number).then_some(Self { number, data })
    }

    /// Puts the message into `buffer`, unpadded as UDP has it; `false` if the data exceeds the 65 535 octets that a
    /// length field can count.
    pub fn write(&self, buffer: &mut Vec<u8>) -> bool {
        let Ok(length) = u16::try_from(self.data.len()) else { return false };
        buffer.clear();
        buffer.extend_from_slice(&self.number.to_be_bytes());
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(self.data);
        true
    }
}

/// The channel bindings of an allocation: one number to one peer, and back.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels {
    by_number: SmallMap<u16, Binding>,
    by_peer: SmallMap<PeerSocket, u16>,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    peer: PeerSocket,
    expires: Timestamp,
}

impl Channels {
    /// Whether `number` may be bound to `peer`: neither is bound to another (RFC 8656 section 12.2).
    pub(super) fn permits(&self, number: u16, peer: PeerSocket) -> bool {
        self.by_number.get(&number).is_none_or(|binding| binding.peer == peer)
            && self.number(peer).is_none_or(|bound| bound == number)
    }

    /// Binds or refreshes; returns when the binding was to expire before.
    pub(super) fn bind(&mut self, number: u16, peer: PeerSocket, expires: Timestamp) -> Option<Timestamp> {
        self.by_peer.insert(peer, number);
        self.by_number.insert(number, Binding { peer, expires }).map(|old| old.expires)
    }

    pub(super) fn unbind(&mut self, number: u16) {
        if let Some(binding) = self.by_number.remove(&number) {
            self.by_peer.remove(&binding.peer);
        }
    }

    pub(super) fn peer(&self, number: u16) -> Option<PeerSocket> {
        self.by_number.get(&number).map(|binding| binding.peer)
    }

    pub(super) fn number(&self, peer: PeerSocket) -> Option<u16> {
        self.by_peer.get(&peer).copied()
    }

    /// Removes the bindings to peers of `family`; returns their numbers and expiry times.
    pub(super) fn remove_family(&mut self, family: Family) -> Vec<(u16, Timestamp)> {
        self.by_peer.retain(|peer, _| peer.0.family() != family);
        let mut removed = Vec::new();
        self.by_number.retain(|&number, binding| {
            let keep = binding.peer.0.family() != family;
            if !keep {
                removed.push((number, binding.expires));
            }
            keep
        });
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8656_12_4_channel_data_survives_the_wire() {
        let mut buffer = Vec::new();
        for data in [&b""[..], b"a", b"payload"] {
            let message = ChannelData { number: 0x4001, data };
            assert!(message.write(&mut buffer));
            assert_eq!(ChannelData::parse(&buffer), Some(message));
        }
        assert!(!ChannelData { number: 0x4001, data: &[0; 65536] }.write(&mut buffer));
    }

    #[test]
    fn rfc8656_12_5_padding_over_udp_is_ignored() {
        let parsed = ChannelData::parse(&[0x40, 0, 0, 1, 7, 0, 0, 0]);
        assert_eq!(parsed, Some(ChannelData { number: 0x4000, data: &[7] }));
    }

    #[test]
    fn rfc8656_12_6_reserved_numbers_and_short_datagrams_are_discarded() {
        assert_eq!(ChannelData::parse(&[0x50, 0, 0, 0]), None);
        assert_eq!(ChannelData::parse(&[0x3F, 0xFF, 0, 0]), None);
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 2, 7]), None);
        assert_eq!(ChannelData::parse(&[0x40, 0, 0]), None);
    }
}
