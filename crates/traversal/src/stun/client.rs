//! Requests sent until they are answered, and the Binding client.

mod binding;
mod transaction;

pub use binding::{BindingClient, BindingEvent, BindingFailure};
pub use transaction::{RetransmitStep, RetransmitTimer, Schedule, Transactions};
