//! What waits a `TIME_WAIT` out takes a minute whatever is done; together it takes one.

mod dry_pool;
mod stories;
