//! Datagrams cut, and put together again.

use bytes::{Bytes, BytesMut};

use super::UNIT;
use crate::wire::{self, DecodeError, EncodeError};
use crate::{Datagram, Family, Transport};

/// The pieces of `datagram`, whole or a fragment itself, none larger than `mtu` octets with its IP header.
///
/// # Errors
/// Where the datagram has no byte form, or `mtu` has no room for eight octets behind a header.
pub fn cut(datagram: &Datagram, mtu: u16) -> Result<Vec<Datagram>, EncodeError> {
    let (protocol, octets) = transport_octets(datagram)?;
    let header = if datagram.family() == Family::V4 { 20 } else { 48 };
    let room = usize::from(mtu).saturating_sub(header) / UNIT * UNIT;
    if room == 0 {
        return Err(EncodeError::TooLong(octets.len()));
    }
    let mut pieces = Vec::with_capacity(octets.len().div_ceil(room));
    for start in (0..octets.len()).step_by(room) {
        let end = octets.len().min(start + room);
        let units = u16::try_from(start / UNIT).map_err(|_| EncodeError::TooLong(octets.len()))?;
        pieces.push(Datagram {
            more_fragments: end < octets.len() || datagram.more_fragments,
            fragment_offset: datagram.fragment_offset + units,
            transport: Transport::Fragment { protocol, payload: octets.slice(start..end) },
            ..header_of(datagram)
        });
    }
    Ok(pieces)
}

/// The header fields of `datagram` around nothing.
fn header_of(datagram: &Datagram) -> Datagram {
    let nothing = Transport::Fragment { protocol: 0, payload: Bytes::new() };
    Datagram {
        source: datagram.source,
        destination: datagram.destination,
        hop_limit: datagram.hop_limit,
        traffic_class: datagram.traffic_class,
        identification: datagram.identification,
        dont_fragment: datagram.dont_fragment,
        more_fragments: false,
        fragment_offset: 0,
        transport: nothing,
    }
}

/// Number and octets of the transport of `datagram`.
fn transport_octets(datagram: &Datagram) -> Result<(u8, Bytes), EncodeError> {
    if let Transport::Fragment { protocol, payload } = &datagram.transport {
        return Ok((*protocol, payload.clone()));
    }
    let bytes = Bytes::from(wire::encode(datagram)?);
    let (header, at) = if datagram.family() == Family::V4 { (20, 9) } else { (40, 6) };
    Ok((bytes[at], bytes.slice(header..)))
}

/// The whole datagram with the header of `first` and the octets of all its fragments.
///
/// # Errors
/// Where they are no transport, or its checksum is wrong.
pub fn whole(first: &Datagram, octets: &[u8]) -> Result<Datagram, DecodeError> {
    let Transport::Fragment { protocol, .. } = first.transport else {
        return Err(DecodeError::Length(wire::Part::Ip));
    };
    wire::decode_transport(first, protocol, octets)
        .map(|transport| Datagram { transport, ..header_of(first) })
}

/// Fragments of one datagram, as they come in.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Offset in octets and octets of each, in order.
    pieces: Vec<(usize, Bytes)>,
    /// Octets of the whole, once the last one is there.
    total: Option<usize>,
    first: Option<Datagram>,
}

/// What a fragment is to those that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// Others are still missing.
    Incomplete,
    /// It was the last one missing: the datagram, or why there is none.
    Complete(Result<Datagram, DecodeError>),
    /// Exactly it is there already.
    Known,
    /// It contradicts another: they overlap (RFC 5722 has the whole datagram discarded, against attacks), one reaches
    /// past the end, or it is none that can be.
    Contradiction,
}

/// Octets of the largest datagram's data.
const MOST: usize = 65_535;

impl Parts {
    /// Adds a fragment.
    pub fn add(&mut self, fragment: &Datagram) -> Added {
        let Transport::Fragment { payload, .. } = &fragment.transport else { return Added::Contradiction };
        let start = usize::from(fragment.fragment_offset) * UNIT;
        let end = start + payload.len();
        let odd = fragment.more_fragments && !payload.len().is_multiple_of(UNIT);
        if payload.is_empty() || odd || end > MOST {
            return Added::Contradiction;
        }
        let place = self.pieces.partition_point(|(other, _)| *other < start);
        if let Some((other, known)) = self.pieces.get(place)
            && *other == start
            && known == payload
            && (self.total == Some(end)) != fragment.more_fragments
        {
            return Added::Known;
        }
        let before = place.checked_sub(1).and_then(|before| self.pieces.get(before));
        let overlaps = before.is_some_and(|(other, known)| other + known.len() > start)
            || self.pieces.get(place).is_some_and(|(other, _)| *other < end);
        let reach = self.pieces.last().map_or(0, |(other, known)| other + known.len()).max(end);
        let total = if fragment.more_fragments { self.total } else { self.total.or(Some(end)) };
        let past = total.is_some_and(|total| reach > total || (!fragment.more_fragments && total != end));
        if overlaps || past {
            return Added::Contradiction;
        }
        self.total = total;
        self.pieces.insert(place, (start, payload.clone()));
        if start == 0 {
            self.first = Some(fragment.clone());
        }
        self.complete().map_or(Added::Incomplete, Added::Complete)
    }

    /// The first fragment, if it is there.
    pub const fn first(&self) -> Option<&Datagram> {
        self.first.as_ref()
    }

    fn complete(&self) -> Option<Result<Datagram, DecodeError>> {
        let (total, first) = self.total.zip(self.first.as_ref())?;
        let present: usize = self.pieces.iter().map(|(_, octets)| octets.len()).sum();
        if present < total {
            return None;
        }
        let mut octets = BytesMut::with_capacity(total);
        self.pieces.iter().for_each(|(_, piece)| octets.extend_from_slice(piece));
        Some(whole(first, &octets))
    }
}
