use super::*;
use proptest::prelude::*;

const LIMIT: Duration = Duration::from_secs(10);

fn request() -> Request {
    Request::new(b"joe", b"root", b"id").unwrap()
}

fn set_up(port: Option<u16>) -> (SetUp, Instant) {
    let until = Instant::now() + LIMIT;
    (SetUp::new(port, &request(), LIMIT, until), until)
}

fn send_all(set_up: &mut SetUp) -> Vec<u8> {
    let mut sent = Vec::new();
    while let Step::Await(Await { send: [octet, ..], .. }) = set_up.want() {
        sent.push(*octet);
        set_up.handle_sent(1);
    }
    sent
}

fn failure(set_up: &SetUp) -> (Cause, Ran) {
    let failure = set_up.failure().expect("it failed");
    (failure.cause.clone(), failure.ran)
}

#[test]
fn without_a_second_connection_everything_is_sent_at_once() {
    let (mut it, _) = set_up(None);
    assert_eq!(send_all(&mut it), b"0\0joe\0root\0id\0");
    it.handle_octets(b"\0early");
    assert_eq!(it.want(), Step::Accepted);
    assert_eq!(it.accepted().unwrap(), b"early");
}

#[test]
fn the_request_waits_for_the_call_back_from_a_reserved_port() {
    let (mut it, _) = set_up(Some(1017));
    assert_eq!(send_all(&mut it), b"1017\0");
    assert!(it.is_call_due());
    assert_eq!([511, 1024, 40_000].map(|port| it.handle_call(port)), [Calling::Refuse; 3]);
    assert_eq!(it.handle_call(512), Calling::Take);
    assert_eq!(it.handle_call(1023), Calling::Refuse, "there is one already");
    assert_eq!(send_all(&mut it), b"joe\0root\0id\0");
    assert_eq!(it.notes().len(), 1, "three strangers");
    it.handle_octets(b"\0");
    assert_eq!(it.want(), Step::Accepted);
}

#[test]
fn what_ends_before_the_last_octet_of_the_request_has_run_nothing() {
    let (mut it, _) = set_up(None);
    let whole = b"0\0joe\0root\0id\0".len();
    it.handle_sent(whole - 1);
    it.handle_end();
    assert_eq!(failure(&it), (Cause::Closed, Ran::No));
    let (mut it, _) = set_up(None);
    it.handle_sent(whole);
    it.handle_broken(Broken::Reset);
    assert_eq!(failure(&it), (Cause::Reset, Ran::Perhaps));
}

#[test]
fn a_refusal_is_told_in_the_servers_words_however_it_ends() {
    for end in 0..4 {
        let (mut it, until) = set_up(None);
        send_all(&mut it);
        it.handle_octets(b"\x01Permission");
        it.handle_octets(b" denied.");
        match end {
            0 => it.handle_octets(b"\nmore"),
            1 => it.handle_end(),
            2 => it.handle_broken(Broken::Reset),
            _ => it.handle_timeout(until),
        }
        assert_eq!(failure(&it), (Cause::Refused("Permission denied.".into()), Ran::No));
    }
    let (mut it, _) = set_up(None);
    it.handle_octets(&[1]);
    it.handle_octets(&[b'x'; 5000]);
    assert_eq!(it.want(), Step::Failed, "an endless reason ends");
}

#[test]
fn what_is_not_the_protocol_is_shown() {
    let (mut it, _) = set_up(None);
    send_all(&mut it);
    it.handle_octets(b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(failure(&it), (Cause::NotTheProtocol("SSH-2.0-OpenSSH_9.2".into()), Ran::Perhaps));
    let (mut it, _) = set_up(None);
    it.handle_octets(b"\0");
    assert_eq!(failure(&it).1, Ran::No, "a yes to nothing");
}

#[test]
fn a_server_that_closes_instead_of_calling_back_is_out_of_ports() {
    let (mut it, _) = set_up(Some(1000));
    send_all(&mut it);
    it.handle_end();
    assert_eq!(failure(&it), (Cause::Closed, Ran::No));
    assert!(it.notes()[0].contains("its own reserved ports are probably spent"));
}

#[test]
fn silence_ends_when_the_time_is_over() {
    let (mut it, until) = set_up(None);
    it.handle_timeout(until.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(matches!(it.want(), Step::Await(_)));
    it.handle_timeout(until);
    assert_eq!(failure(&it), (Cause::TimedOut(LIMIT), Ran::No));
}

#[derive(Clone, Debug)]
enum Event {
    Sent(usize),
    Octets(Vec<u8>),
    End,
    Reset,
    Call(u16),
    Stop,
    Early,
}

fn event() -> impl Strategy<Value = Event> {
    let octets = prop_oneof![
        Just(vec![0]),
        Just(vec![1]),
        "[a\n]{0,4}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    prop_oneof![
        4 => (0..8_usize).prop_map(Event::Sent),
        3 => octets.prop_map(Event::Octets),
        1 => Just(Event::End),
        1 => Just(Event::Reset),
        2 => prop_oneof![500..530_u16, 1010..1030_u16].prop_map(Event::Call),
        1 => Just(Event::Stop),
        1 => Just(Event::Early),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_nothing_is_called_undone_that_may_have_run(
        port in proptest::option::of(512..1024_u16),
        events in proptest::collection::vec(event(), 0..24),
    ) {
        let (mut it, until) = set_up(port);
        let whole = format!("{}\0joe\0root\0id\0", port.unwrap_or(0)).len();
        let (mut sent, mut took) = (0, false);
        for event in events {
            let Step::Await(Await { send, call, .. }) = it.want() else { break };
            prop_assert!(port.is_none() || took || sent + send.len() <= 5);
            match event {
                Event::Sent(octets) => {
                    let octets = octets.min(send.len());
                    sent += octets;
                    it.handle_sent(octets);
                }
                Event::Octets(octets) => it.handle_octets(&octets),
                Event::End => it.handle_end(),
                Event::Reset => it.handle_broken(Broken::Reset),
                Event::Call(from) => {
                    let takes = it.handle_call(from) == Calling::Take;
                    prop_assert!(!takes || (call && (512..=1023).contains(&from)));
                    took |= takes;
                }
                Event::Stop => it.handle_stop(Signal::Interrupt),
                Event::Early => it.handle_timeout(until.checked_sub(LIMIT).unwrap()),
            }
        }
        it.handle_timeout(until);
        match it.want() {
            Step::Accepted => prop_assert_eq!(sent, whole),
            Step::Failed => {
                let (cause, ran) = failure(&it);
                let said_no = matches!(cause, Cause::Refused(_));
                prop_assert_eq!(ran == Ran::No, said_no || sent < whole);
            }
            Step::Await(_) => prop_assert!(false, "the time is over"),
        }
    }
}
