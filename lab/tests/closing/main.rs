//! `lastack close` on real connections: what was selected ends and its peer learns it, everything else lives on.
//!
//! Every scene has bystanders that differ from the selected in one thing only: another peer, port, state or process,
//! and listeners. Each of them must answer after the deed as it did before.

mod consent;
mod guards;
mod idle;
mod input;
mod selection;
mod stage;
mod state;
