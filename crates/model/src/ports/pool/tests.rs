//! Properties of the pool against the plainest book of what was lent and how it ended.

use super::*;
use proptest::prelude::*;

/// What happens to the pool.
#[derive(Clone, Copy, Debug)]
enum Event {
    Take(usize),
    /// Gives back one of what is lent.
    Back(usize, Afterwards),
    Pass(u64),
    Forget,
}

fn destinations() -> [SocketAddr; 3] {
    [1, 2, 3].map(|last| SocketAddr::from(([192, 0, 2, last], 514)))
}

fn any_event() -> impl Strategy<Value = Event> {
    let afterwards = proptest::sample::select(vec![
        Afterwards::Nothing,
        Afterwards::TimeWait,
        Afterwards::StillClosing,
        Afterwards::Refused,
    ]);
    prop_oneof![
        5 => (0..3_usize).prop_map(Event::Take),
        5 => (any::<usize>(), afterwards).prop_map(|(which, how)| Event::Back(which, how)),
        3 => (0..40_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Forget),
    ]
}

/// What anybody would write down: since when which port may be used again.
#[derive(Default)]
struct Book {
    lent: Vec<(SocketAddr, Port)>,
    until: HashMap<(SocketAddr, Port), Moment>,
}

impl Book {
    fn may_use(&self, destination: SocketAddr, port: Port, now: Moment) -> bool {
        !self.lent.contains(&(destination, port))
            && self.until.get(&(destination, port)).is_none_or(|until| *until <= now)
    }
}

proptest! {
    #[test]
    fn no_port_is_lent_twice_or_in_quarantine_and_none_is_withheld(
        size in 1..6_u16,
        events in proptest::collection::vec(any_event(), 1..200),
    ) {
        let ports: Vec<Port> = (0..size).map(|n| Port(1000 + n)).collect();
        let mut pool = Pool::new(ports.iter().copied());
        let (mut book, mut now) = (Book::default(), Moment(0));
        for event in events {
            match event {
                Event::Take(at) => {
                    let to = destinations()[at];
                    let usable: Vec<Port> =
                        ports.iter().copied().filter(|port| book.may_use(to, *port, now)).collect();
                    prop_assert_eq!(pool.standing(to, now).free, usable.len());
                    match pool.take(to, now) {
                        Choice::Take(port) => {
                            prop_assert!(usable.contains(&port), "{port} at {now}");
                            book.lent.push((to, port));
                        }
                        Choice::DryUntil(next) => {
                            prop_assert_eq!(&usable, &[]);
                            let waits = book.until.iter().filter(|((it, port), _)| {
                                *it == to && !book.lent.contains(&(to, *port))
                            });
                            prop_assert_eq!(next, waits.map(|(_, until)| *until).min());
                        }
                    }
                }
                Event::Back(which, afterwards) if !book.lent.is_empty() => {
                    let (to, port) = book.lent.swap_remove(which % book.lent.len());
                    pool.give_back(to, port, afterwards, now);
                    book.until.insert((to, port), now + afterwards.quarantine());
                }
                Event::Back(..) => {}
                Event::Pass(millis) => now = now + Moment::of_millis(millis),
                Event::Forget => { pool.forget_idle(now); }
            }
            for to in destinations() {
                let Standing { free, lent, quarantined, .. } = pool.standing(to, now);
                prop_assert_eq!(free + lent + quarantined, ports.len());
                prop_assert_eq!(lent, book.lent.iter().filter(|(it, _)| *it == to).count());
            }
        }
    }

    #[test]
    fn whoever_waits_until_the_moment_that_is_told_gets_a_port(
        size in 1..6_usize, gaps in proptest::collection::vec(0..5000_u64, 6),
    ) {
        let mut pool = Pool::new((0..size).map(|n| Port(1000 + n as u16)));
        let (to, mut now) = (destinations()[0], Moment(0));
        for gap in gaps.iter().cycle().take(40) {
            now = now + Moment::of_millis(*gap);
            if let Choice::DryUntil(next) = pool.take(to, now) {
                let next = next.expect("all are in quarantine");
                prop_assert!(next > now);
                now = next;
                continue;
            }
            let lent: Vec<Port> = pool.ledgers[&to].lent.iter().copied().collect();
            pool.give_back(to, lent[0], Afterwards::TimeWait, now);
        }
    }
}

#[test]
fn the_ports_take_turns() {
    let mut pool = Pool::new([Port(1), Port(2), Port(3)]);
    let to = destinations()[0];
    let mut used = Vec::new();
    for _ in 0..6 {
        let Choice::Take(port) = pool.take(to, Moment(0)) else { panic!("a port is free") };
        used.push(port.0);
        pool.give_back(to, port, Afterwards::Nothing, Moment(0));
    }
    assert_eq!(used, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn what_was_never_lent_is_not_taken_back() {
    let mut pool = Pool::new([Port(1), Port(1)]);
    let to = destinations()[0];
    pool.give_back(to, Port(1), Afterwards::Nothing, Moment(0));
    assert_eq!(pool.take(to, Moment(0)), Choice::Take(Port(1)));
    pool.give_back(to, Port(2), Afterwards::Nothing, Moment(0));
    assert_eq!(pool.take(to, Moment(0)), Choice::DryUntil(None));
    assert_eq!(pool.size(), 1);
}

#[test]
fn the_reserved_ports_bear_seven_connections_a_second_toward_one_destination() {
    let pool = Pool::new((512..1024).map(Port));
    assert_eq!(pool.standing(destinations()[0], Moment(0)).bearable_per_1000_s, 7876);
}
