//! Octets as they come, made into whole lines, so that lines of several hosts never mix. A line without end is cut.

/// What was not the end of a line yet.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    unfinished: Vec<u8>,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tail {
    /// With a line end, which is left out.
    Newline,
    /// It was too long, and the next one is its rest.
    Cut,
    /// The output ended without one.
    Missing,
}

/// The longest line that is kept whole.
pub(super) const LONGEST: usize = 64 << 10;

impl Splitter {
    /// Takes octets in and gives the lines that are whole now.
    pub(super) fn push(&mut self, octets: &[u8], line: &mut dyn FnMut(&[u8], Tail)) {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            let (mut text, is_end) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            while self.unfinished.len() + text.len() > LONGEST {
                let (first, rest) = text.split_at(LONGEST - self.unfinished.len());
                self.unfinished.extend_from_slice(first);
                line(&std::mem::take(&mut self.unfinished), Tail::Cut);
                text = rest;
            }
            if is_end && self.unfinished.is_empty() {
                line(text, Tail::Newline);
                continue;
            }
            self.unfinished.extend_from_slice(text);
            if is_end {
                line(&std::mem::take(&mut self.unfinished), Tail::Newline);
            }
        }
    }

    /// The output is over: what is left is a line too.
    pub(super) fn finish(&mut self, line: &mut dyn FnMut(&[u8], Tail)) {
        if !self.unfinished.is_empty() {
            line(&std::mem::take(&mut self.unfinished), Tail::Missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(Vec<u8>, Tail)> {
        let (mut splitter, mut all) = (Splitter::default(), Vec::new());
        for piece in pieces {
            splitter.push(piece, &mut |line, tail| all.push((line.to_vec(), tail)));
        }
        splitter.finish(&mut |line, tail| all.push((line.to_vec(), tail)));
        all
    }

    #[test]
    fn lines_are_whole_and_the_last_needs_no_end() {
        let all = lines(&[b"a\nb", b"c\n", b"\n", b"d"]);
        let expected = [
            (b"a".to_vec(), Tail::Newline),
            (b"bc".to_vec(), Tail::Newline),
            (b"".to_vec(), Tail::Newline),
            (b"d".to_vec(), Tail::Missing),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_line_without_end_is_cut_and_one_just_as_long_as_allowed_is_not() {
        let long = vec![b'x'; LONGEST];
        assert_eq!(lines(&[&long, b"\n"]), [(long.clone(), Tail::Newline)]);
        let all = lines(&[&long, b"y\n"]);
        assert_eq!(all, [(long.clone(), Tail::Cut), (b"y".to_vec(), Tail::Newline)]);
    }

    proptest! {
        #[test]
        fn no_octet_is_lost_or_invented(pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..40), 0..10)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let mut again = Vec::new();
            for (line, tail) in lines(&pieces) {
                prop_assert!(!line.contains(&b'\n'));
                again.extend_from_slice(&line);
                if tail == Tail::Newline {
                    again.push(b'\n');
                }
            }
            prop_assert_eq!(again, pieces.concat());
        }
    }
}
