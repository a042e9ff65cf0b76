//! Servers that end under load, by the library's plan: nobody who is connected is lost, every phase keeps its bound, and
//! nothing is left behind.
//!
//! The examples run as processes of their own in the test's network namespace, as root and as an ordinary user.

mod deadlines;
mod examples;
mod first_byte;
mod first_fin;
mod http2;
mod load;
mod server;
mod tls;
mod ways;
