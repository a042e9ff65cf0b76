//! The kernel's randomness, for marks that a command cannot guess.

use std::fs::File;
use std::io::{self, Read as _};

/// Where it comes from; opened once.
#[derive(Debug)]
pub(super) struct Chance(File);

impl Chance {
    pub(super) fn open() -> io::Result<Self> {
        File::open("/dev/urandom").map(Self)
    }

    pub(super) fn draw(&self) -> io::Result<[u8; 10]> {
        let mut octets = [0; 10];
        (&self.0).read_exact(&mut octets)?;
        Ok(octets)
    }
}
