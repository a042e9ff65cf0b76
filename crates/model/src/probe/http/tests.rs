//! Answers well formed and not, whole and in pieces.

use super::{Answer, Extent, Flaw};
use proptest::collection::vec;
use proptest::prelude::*;

fn read(octets: &[u8]) -> Extent {
    let mut answer = Answer::default();
    answer.take(octets);
    answer.extent()
}

#[test]
fn a_length_tells_where_an_answer_ends() {
    let text = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nServer: x\r\n\r\nabc";
    let mut answer = Answer::default();
    answer.take(text);
    assert_eq!(answer.extent(), Extent::Whole { body: 3 });
    assert_eq!((answer.status(), answer.server()), (Some(413), Some("x")));
    assert_eq!(read(&text[..text.len() - 1]), Extent::Part { body: 2, of: Some(3) });
    assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Extent::Whole { body: 0 });
    assert_eq!(read(b"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n"), Extent::Whole { body: 0 });
}

#[test]
fn chunks_end_with_an_empty_one_and_its_trailer() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n";
    let of = |body: &str| read(format!("{HEAD}{body}").as_bytes());
    assert_eq!(of("3\r\nabc\r\n0\r\n\r\n"), Extent::Whole { body: 3 });
    assert_eq!(of("3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"), Extent::Whole { body: 3 });
    assert_eq!(of("3\r\nabc\r\n0\r\n"), Extent::Part { body: 3, of: None });
    assert_eq!(of("3\r\nabcd"), Extent::Malformed(Flaw::Chunk));
    assert_eq!(of("\r\n"), Extent::Malformed(Flaw::Chunk));
    assert_eq!(of("ffffffffffffffff\r\n"), Extent::Malformed(Flaw::Chunk));
}

#[test]
fn what_only_the_close_ends_is_never_called_whole() {
    let mut answer = Answer::default();
    answer.take(b"HTTP/1.0 200 OK\n\nabc");
    assert_eq!(answer.extent(), Extent::Part { body: 3, of: None });
    answer.end();
    assert_eq!(answer.extent(), Extent::ToTheClose { body: 3 });
    assert!(answer.announces_close());
}

#[test]
fn an_interim_answer_is_passed_over() {
    let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(read(text), Extent::Whole { body: 1 });
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    assert_eq!(read(b"SSH-2.0-x\r\n"), Extent::Malformed(Flaw::NoStatusLine));
    assert_eq!(read(b"HTTP/1.1 abc\r\n\r\n"), Extent::Malformed(Flaw::NoStatusLine));
    assert_eq!(read(&[0x15, 3, 1, 0, 2]), Extent::Malformed(Flaw::Tls));
    assert_eq!(
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"),
        Extent::Malformed(Flaw::Length)
    );
    assert_eq!(
        read(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"),
        Extent::Malformed(Flaw::Length)
    );
    let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; super::LONGEST_HEAD]].concat();
    assert_eq!(read(&long), Extent::Malformed(Flaw::LongHead));
}

#[test]
fn a_server_cannot_steer_the_terminal_by_its_name() {
    let mut answer = Answer::default();
    answer.take("HTTP/1.1 200 OK\r\nServer: a\u{1b}[2Jb\u{7f}ü\r\n\r\n".as_bytes());
    assert_eq!(answer.server(), Some("a[2Jb"));
}

#[test]
fn whether_the_connection_ends_with_it_is_read_from_version_and_field() {
    let closes = |head: &str| {
        let mut answer = Answer::default();
        answer.take(format!("{head}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        answer.announces_close()
    };
    assert!(closes("HTTP/1.1 200 OK\r\nConnection: Close"));
    assert!(closes("HTTP/1.0 200 OK"));
    assert!(!closes("HTTP/1.0 200 OK\r\nConnection: keep-alive"));
    assert!(!closes("HTTP/1.1 200 OK\r\nConnection: upgrade, closed"));
}

/// A well-formed answer and the length of its body.
fn an_answer() -> impl Strategy<Value = (Vec<u8>, u64)> {
    let chunks = vec(vec(any::<u8>(), 1..40), 0..5);
    (any::<bool>(), chunks).prop_map(|(is_chunked, chunks)| {
        let body: usize = chunks.iter().map(Vec::len).sum();
        let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
        if is_chunked {
            text.extend(b"Transfer-Encoding: gzip, chunked\r\n\r\n");
            for chunk in &chunks {
                text.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
                text.extend(b"\r\n");
            }
            text.extend(b"0\r\n\r\n");
        } else {
            text.extend(format!("Content-Length: {body}\r\n\r\n").bytes());
            text.extend(chunks.concat());
        }
        (text, body as u64)
    })
}

proptest! {
    #[test]
    fn a_well_formed_answer_is_whole_at_its_last_octet_and_not_before((text, body) in an_answer()) {
        prop_assert_eq!(read(&text), Extent::Whole { body });
        for end in 0..text.len() {
            let early = matches!(read(&text[..end]), Extent::Whole { .. } | Extent::Malformed(_));
            prop_assert!(!early, "at {end} of {}", text.len());
        }
    }

    #[test]
    fn how_the_octets_are_cut_into_pieces_does_not_matter(
        octets in vec(any::<u8>(), 0..200),
        (text, _) in an_answer(),
        at in any::<prop::sample::Index>(),
    ) {
        for octets in [octets.clone(), [&text[..], &octets].concat()] {
            let (first, second) = octets.split_at(at.index(octets.len() + 1));
            let mut pieces = Answer::default();
            pieces.take(first);
            pieces.take(second);
            prop_assert_eq!(pieces.extent(), read(&octets));
        }
    }
}
