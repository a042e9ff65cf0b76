//! What ending the remains of a connection early can do, and when it cannot: two hosts, a wire that loses, doubles and
//! delays segments, and in each case the bytes and errors that the programs at both ends see.
//!
//! The wire invents nothing. It delivers segments that were sent, late; which of those it held is delivered is chosen
//! by the sequence numbers of the new connection, which on a real path is a matter of luck.

mod connection;
mod fin_wait_2;
mod harmless;
mod last_ack;
mod late;
mod stage;
