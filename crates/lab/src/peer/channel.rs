//! A data channel over a connection (RFC 8831).

/// What happens to a data channel, as the agents at its ends tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// It is open: DTLS and SCTP stand.
    Opened {
        /// Its label.
        label: String,
    },
    /// A text was sent.
    Sent {
        /// The text.
        text: String,
    },
    /// A text arrived.
    Received {
        /// The text.
        text: String,
    },
    /// The text that the initiator sent has come back.
    Echoed {
        /// The text.
        text: String,
    },
    /// It is closed.
    Closed,
}
