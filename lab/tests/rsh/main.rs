//! Commands over rsh: whatever the server does, each ends in time, says how, and leaves no port and no descriptor behind.
//! Against servers that are told what to do, and against the real `in.rshd`, in namespaces.

mod endings;
mod instances;
mod ours;
mod protocol;
mod real;
mod real_load;
mod stock;
mod verb;
