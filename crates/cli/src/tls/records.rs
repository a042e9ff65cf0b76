//! Where records of TLS end, by their headers, which are never encrypted (RFC 8446 §5.1).

/// The place in a stream of records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// Octets of the header that are there.
    known: usize,
    /// Octets of the record that are to come after it.
    body: usize,
}

impl Records {
    /// How many octets more the record has, as far as its header tells.
    pub(super) const fn left(&self) -> usize {
        if self.known < HEADER { HEADER - self.known } else { self.body }
    }

    /// These come next.
    pub(super) fn pass(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let part = self.left().min(octets.len());
            if self.known < HEADER {
                self.header[self.known..self.known + part].copy_from_slice(&octets[..part]);
                self.known += part;
                if self.known == HEADER {
                    self.body = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                }
            } else {
                self.body -= part;
            }
            if self.known == HEADER && self.body == 0 {
                self.known = 0;
            }
            octets = &octets[part..];
        }
    }
}

const HEADER: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_its_header_says_however_it_comes() {
        let stream = [22, 3, 3, 0, 3, 1, 2, 3, 23, 3, 3, 0, 0, 23, 3, 3, 1, 0];
        for at_once in 1..=stream.len() {
            let mut records = Records::default();
            for piece in stream.chunks(at_once) {
                records.pass(piece);
            }
            assert_eq!(records.left(), 256, "{at_once}");
        }
        let mut records = Records::default();
        let mut lefts = Vec::new();
        for octet in &stream[..9] {
            lefts.push(records.left());
            records.pass(&[*octet]);
        }
        assert_eq!(lefts, [5, 4, 3, 2, 1, 3, 2, 1, 5]);
    }
}
