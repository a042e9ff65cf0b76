//! A body in chunks (RFC 9112 §7.1), counted and not kept.

/// Where in it the reader is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks(Place);

#[derive(Clone, Copy, Debug)]
enum Place {
    Size {
        size: u64,
        digits: u32,
    },
    /// After the size, up to the end of its line.
    Extension {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// The end of the line after the data.
    AfterData,
    /// In a line after the last chunk; an empty one is the end.
    Trailer {
        is_empty: bool,
    },
    Done,
    Broken,
}

/// Whether there is more to come.
pub(super) enum State {
    More,
    Done,
    Broken,
}

impl Default for Chunks {
    fn default() -> Self {
        Self(Place::Size { size: 0, digits: 0 })
    }
}

impl Chunks {
    /// How many of these octets belong to it, and how many of them are data.
    pub(super) fn take(&mut self, octets: &[u8]) -> (usize, u64) {
        let (mut used, mut data) = (0, 0);
        while used < octets.len() {
            match &mut self.0 {
                Place::Data { left } => {
                    let here = octets.len() - used;
                    let more = here.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= more as u64;
                    (used, data) = (used + more, data + more as u64);
                    if *left == 0 {
                        self.0 = Place::AfterData;
                    }
                }
                Place::Done | Place::Broken => break,
                place => {
                    self.0 = next(*place, octets[used]);
                    used += 1;
                }
            }
        }
        (used, data)
    }

    pub(super) const fn state(&self) -> State {
        match self.0 {
            Place::Done => State::Done,
            Place::Broken => State::Broken,
            _ => State::More,
        }
    }
}

fn next(place: Place, octet: u8) -> Place {
    match (place, octet) {
        (Place::Size { size, digits }, _) if octet.is_ascii_hexdigit() && digits < MOST_DIGITS => {
            let digit = char::from(octet).to_digit(16).unwrap_or(0);
            Place::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
        }
        (Place::Size { size, digits: 1.. }, b'\r' | b';' | b' ' | b'\t') => {
            Place::Extension { size }
        }
        (Place::Size { size, digits: 1.. } | Place::Extension { size }, b'\n') => match size {
            0 => Place::Trailer { is_empty: true },
            left => Place::Data { left },
        },
        (Place::Extension { size }, _) => Place::Extension { size },
        (Place::AfterData, b'\r') => Place::AfterData,
        (Place::AfterData, b'\n') => Place::Size { size: 0, digits: 0 },
        (Place::Trailer { is_empty: true }, b'\n') => Place::Done,
        (Place::Trailer { is_empty: false }, b'\n') => Place::Trailer { is_empty: true },
        (Place::Trailer { is_empty }, b'\r') => Place::Trailer { is_empty },
        (Place::Trailer { .. }, _) => Place::Trailer { is_empty: false },
        _ => Place::Broken,
    }
}

/// A size of more digits than this is not believed.
const MOST_DIGITS: u32 = 15;
