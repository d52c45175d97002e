//! Requests sent until they are answered, and the Binding client.

mod binding;
mod rto;
mod transaction;

pub(crate) use binding::MAX_SERVER_ERRORS;
pub use binding::{BindingClient, BindingEvent, BindingFailure};
pub use rto::RtoCache;
pub use transaction::{RetransmitStep, RetransmitTimer, Schedule, Transactions};
