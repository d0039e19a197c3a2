//! TCP reassembly: segments in, the in-order bytes of each direction out, with every gap told (RFC 9293).

mod event;

pub use event::{Closed, Event, FlowId, GapCause, Interest, Sink, StreamEvent};
