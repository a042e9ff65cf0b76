//! What the operating system can be told to do: destroy a socket, end a process, stop a service, change a setting.
//!
//! Each act names exactly one object and checks that it is still the one that was meant just before it acts. Nothing
//! here chooses: what to do is decided by `lastack_model` and allowed by a person.

pub mod destroy;
pub mod disconnect;
pub mod file;
pub mod stop;
pub mod sysctl;

mod around;

pub use around::{actor, around};
