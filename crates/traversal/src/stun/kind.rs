//! What attributes there are.

use std::fmt;

/// Declares the attributes: number, constant and name in the RFCs.
macro_rules! attributes {
    ($($(#[$doc:meta])* $number:literal $constant:ident $name:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// Whether this crate knows what the attribute means.
            pub const fn is_known(self) -> bool {
                matches!(self.0, $($number)|*)
            }

            /// The name the RFCs give the attribute; `None` if it is unknown here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

/// The number that says what an attribute is (RFC 8489 section 18.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u16);

attributes! {
    /// RFC 8489 section 14.1.
    0x0001 MAPPED_ADDRESS "MAPPED-ADDRESS";
    /// RFC 5780 section 7.2.
    0x0003 CHANGE_REQUEST "CHANGE-REQUEST";
    /// RFC 8489 section 14.3.
    0x0006 USERNAME "USERNAME";
    /// RFC 8489 section 14.5.
    0x0008 MESSAGE_INTEGRITY "MESSAGE-INTEGRITY";
    /// RFC 8489 section 14.8.
    0x0009 ERROR_CODE "ERROR-CODE";
    /// RFC 8489 section 14.13.
    0x000A UNKNOWN_ATTRIBUTES "UNKNOWN-ATTRIBUTES";
    /// RFC 8656 section 18.1.
    0x000C CHANNEL_NUMBER "CHANNEL-NUMBER";
    /// RFC 8656 section 18.2.
    0x000D LIFETIME "LIFETIME";
    /// RFC 8656 section 18.3.
    0x0012 XOR_PEER_ADDRESS "XOR-PEER-ADDRESS";
    /// RFC 8656 section 18.4.
    0x0013 DATA "DATA";
    /// RFC 8489 section 14.9.
    0x0014 REALM "REALM";
    /// RFC 8489 section 14.10.
    0x0015 NONCE "NONCE";
    /// RFC 8656 section 18.5.
    0x0016 XOR_RELAYED_ADDRESS "XOR-RELAYED-ADDRESS";
    /// RFC 8656 section 18.6.
    0x0017 REQUESTED_ADDRESS_FAMILY "REQUESTED-ADDRESS-FAMILY";
    /// RFC 8656 section 18.7.
    0x0018 EVEN_PORT "EVEN-PORT";
    /// RFC 8656 section 18.8.
    0x0019 REQUESTED_TRANSPORT "REQUESTED-TRANSPORT";
    /// RFC 8656 section 18.9.
    0x001A DONT_FRAGMENT "DONT-FRAGMENT";
    /// RFC 8489 section 14.6.
    0x001C MESSAGE_INTEGRITY_SHA256 "MESSAGE-INTEGRITY-SHA256";
    /// RFC 8489 section 14.12.
    0x001D PASSWORD_ALGORITHM "PASSWORD-ALGORITHM";
    /// RFC 8489 section 14.4.
    0x001E USERHASH "USERHASH";
    /// RFC 8489 section 14.2.
    0x0020 XOR_MAPPED_ADDRESS "XOR-MAPPED-ADDRESS";
    /// RFC 8656 section 18.10.
    0x0022 RESERVATION_TOKEN "RESERVATION-TOKEN";
    /// RFC 8445 section 16.1.
    0x0024 PRIORITY "PRIORITY";
    /// RFC 8445 section 16.1.
    0x0025 USE_CANDIDATE "USE-CANDIDATE";
    /// RFC 5780 section 7.6.
    0x0026 PADDING "PADDING";
    /// RFC 5780 section 7.5.
    0x0027 RESPONSE_PORT "RESPONSE-PORT";
    /// RFC 8656 section 18.11.
    0x8000 ADDITIONAL_ADDRESS_FAMILY "ADDITIONAL-ADDRESS-FAMILY";
    /// RFC 8656 section 18.12.
    0x8001 ADDRESS_ERROR_CODE "ADDRESS-ERROR-CODE";
    /// RFC 8489 section 14.11.
    0x8002 PASSWORD_ALGORITHMS "PASSWORD-ALGORITHMS";
    /// RFC 8489 section 14.16.
    0x8003 ALTERNATE_DOMAIN "ALTERNATE-DOMAIN";
    /// RFC 8656 section 18.13.
    0x8004 ICMP "ICMP";
    /// RFC 8489 section 14.14.
    0x8022 SOFTWARE "SOFTWARE";
    /// RFC 8489 section 14.15.
    0x8023 ALTERNATE_SERVER "ALTERNATE-SERVER";
    /// RFC 8489 section 14.7.
    0x8028 FINGERPRINT "FINGERPRINT";
    /// RFC 8445 section 16.1.
    0x8029 ICE_CONTROLLED "ICE-CONTROLLED";
    /// RFC 8445 section 16.1.
    0x802A ICE_CONTROLLING "ICE-CONTROLLING";
    /// RFC 5780 section 7.3.
    0x802B RESPONSE_ORIGIN "RESPONSE-ORIGIN";
    /// RFC 5780 section 7.4.
    0x802C OTHER_ADDRESS "OTHER-ADDRESS";
}

impl AttributeType {
    /// Whether one who does not understand the attribute must not process the message (RFC 8489 section 14).
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}
