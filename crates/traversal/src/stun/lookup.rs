//! Finding attributes in a message.

use natbed_packet::{Endpoint, Family};

use super::attribute::{Attribute, AttributeType, ErrorCode};
use super::message::Message;

/// Declares lookups by type on [`Message`].
macro_rules! lookups {
    ($($method:ident $constant:ident $variant:ident $value:ty;)*) => {
        /// Lookups of the first attribute of a type; `None` when there is none or its value is malformed.
        impl<'a> Message<'a> {
            $(
                #[doc = concat!("The value of ", stringify!($constant), ".")]
                pub fn $method(&self) -> Option<$value> {
                    match self.attribute(AttributeType::$constant)? {
                        Attribute::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

lookups! {
    mapped_address MAPPED_ADDRESS MappedAddress Endpoint;
    xor_mapped_address XOR_MAPPED_ADDRESS XorMappedAddress Endpoint;
    xor_peer_address XOR_PEER_ADDRESS XorPeerAddress Endpoint;
    xor_relayed_address XOR_RELAYED_ADDRESS XorRelayedAddress Endpoint;
    response_origin RESPONSE_ORIGIN ResponseOrigin Endpoint;
    other_address OTHER_ADDRESS OtherAddress Endpoint;
    alternate_server ALTERNATE_SERVER AlternateServer Endpoint;
    username USERNAME Username &'a str;
    realm REALM Realm &'a str;
    nonce NONCE Nonce &'a str;
    userhash USERHASH Userhash &'a [u8; 32];
    password_algorithm PASSWORD_ALGORITHM PasswordAlgorithm u16;
    software SOFTWARE Software &'a str;
    error_code ERROR_CODE ErrorCode ErrorCode<'a>;
    data DATA Data &'a [u8];
    channel_number CHANNEL_NUMBER ChannelNumber u16;
    response_port RESPONSE_PORT ResponsePort u16;
    lifetime LIFETIME Lifetime u32;
    priority PRIORITY Priority u32;
    requested_transport REQUESTED_TRANSPORT RequestedTransport u8;
    requested_address_family REQUESTED_ADDRESS_FAMILY RequestedAddressFamily Family;
    additional_address_family ADDITIONAL_ADDRESS_FAMILY AdditionalAddressFamily Family;
    reservation_token RESERVATION_TOKEN ReservationToken [u8; 8];
    ice_controlled ICE_CONTROLLED IceControlled u64;
    ice_controlling ICE_CONTROLLING IceControlling u64;
}

impl Message<'_> {
    /// Whether USE-CANDIDATE is there.
    pub fn use_candidate(&self) -> bool {
        self.has(AttributeType::USE_CANDIDATE)
    }

    /// The types listed in UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(&self) -> impl Iterator<Item = AttributeType> {
        let listed = self.raw(AttributeType::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        listed.chunks_exact(2).map(|pair| AttributeType(u16::from_be_bytes([pair[0], pair[1]])))
    }
}
