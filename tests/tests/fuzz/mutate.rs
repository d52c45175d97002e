//! What makes the valid invalid.

use rand::RngExt;

use crate::{Generator, below, pick};

/// Flips, cuts, doubles, overwrites.
pub(crate) fn mutate(rng: &mut Generator, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..=3) {
        let place = below(rng, bytes.len());
        let end = (place + below(rng, 12)).min(bytes.len());
        match rng.random_range(0..7) {
            0 => bytes.truncate(place),
            1 => drop(bytes.drain(place..end)),
            2 => bytes.extend_from_within(place..end),
            3 => bytes.insert(place, rng.random()),
            4 => bytes[place..end].fill(*pick(rng, &[0, 1, 0x7f, 0x80, 0xff])),
            5 => bytes[place..end].fill_with(|| rng.random()),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
        }
    }
}

/// Swaps, doubles and drops lines and words, draws other digits, and takes some from another text.
pub(crate) fn mutate_text(rng: &mut Generator, text: &mut Vec<u8>, other: &[u8]) {
    let by_line = rng.random::<bool>();
    let splits = |byte: &u8| if by_line { *byte == b'\n' } else { b" \n\",.:".contains(byte) };
    let mut parts: Vec<Vec<u8>> = text.split_inclusive(splits).map(<[u8]>::to_vec).collect();
    let others: Vec<&[u8]> = other.split_inclusive(splits).collect();
    if parts.is_empty() || others.is_empty() {
        return;
    }
    for _ in 0..*pick(rng, &[1, 1, 1, 2, 3]) {
        let (place, second) = (below(rng, parts.len()), below(rng, parts.len()));
        match rng.random_range(0..9) {
            0 => parts.swap(place, second),
            1 if parts.len() > 1 => drop(parts.remove(place)),
            2 => parts.insert(place, parts[second].clone()),
            3 => parts.insert(place, pick(rng, &others).to_vec()),
            4 => parts[place] = pick(rng, &others).to_vec(),
            5..8 => {
                let digits = parts[place].iter_mut().filter(|byte| byte.is_ascii_digit());
                digits.for_each(|digit| *digit = rng.random_range(b'0'..=b'9'));
            }
            _ => {
                let extremes =
                    ["0 ", "-1 ", "18446744073709551615 ", "1e308 ", "\"\" ", "::/0 ", "\u{1f980} "];
                parts[place] = pick(rng, &extremes).as_bytes().to_vec();
            }
        }
    }
    *text = parts.concat();
}

/// Makes the checksums right where the headers can be found, so that what is wrong otherwise is read.
pub(crate) fn mend(bytes: &mut [u8]) {
    let Some(version) = bytes.first().map(|byte| byte >> 4) else { return };
    let start = if version == 4 { usize::from(bytes[0] & 15) * 4 } else { 40 };
    if start < 20 || bytes.len() < start {
        return;
    }
    let addresses = if version == 4 { 12..20 } else { 8..40 };
    let protocol = bytes[if version == 4 { 9 } else { 6 }];
    if version == 4 {
        bytes[10..12].fill(0);
        let sum = checksum(0, &bytes[..start]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let field = start
        + if protocol == 17 {
            6
        } else if protocol == 6 {
            16
        } else {
            2
        };
    if bytes.len() < field + 2 {
        return;
    }
    bytes[field..field + 2].fill(0);
    let pseudo = if protocol == 1 {
        0
    } else {
        let addresses: u32 = words(&bytes[addresses]);
        addresses + u32::from(protocol) + u32::try_from(bytes.len() - start).unwrap_or(0)
    };
    let sum = checksum(pseudo, &bytes[start..]);
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

fn words(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

/// The Internet checksum (RFC 1071).
fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut sum = start + words(bytes);
    while let Ok(carry @ 1..) = u16::try_from(sum >> 16) {
        sum = (sum & 0xffff) + u32::from(carry);
    }
    !u16::try_from(sum).unwrap_or(0)
}
