//! Properties of the pool against the plainest book of what was lent and how it ended.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What happens to the pool.
#[derive(Clone, Copy, Debug)]
enum Event {
    Take(usize),
    /// Gives back one of what is lent.
    Back(usize, Afterwards),
    Pass(u64),
    Forget,
    Allow(u16),
    Withdraw(u16),
    Listen,
    /// Ends listening on one of the ports listened on; how many milliseconds it rests.
    EndListening(usize, u64),
    /// Somebody else holds a four-tuple, or a port, for so many milliseconds.
    Keep(usize, u16, u64),
    Hold(u16, u64),
    ForgetOthers,
    Explain,
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
    let port = 1000..1006_u16;
    let span = 0..90_000_u64;
    prop_oneof![
        6 => (0..3_usize).prop_map(Event::Take),
        6 => (any::<usize>(), afterwards).prop_map(|(which, how)| Event::Back(which, how)),
        3 => (0..40_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Forget),
        1 => port.clone().prop_map(Event::Allow),
        1 => port.clone().prop_map(Event::Withdraw),
        1 => Just(Event::Listen),
        1 => (any::<usize>(), span.clone()).prop_map(|(which, rest)| Event::EndListening(which, rest)),
        1 => (0..3_usize, port.clone(), span.clone()).prop_map(|(to, port, ms)| Event::Keep(to, port, ms)),
        1 => (port, span).prop_map(|(port, ms)| Event::Hold(port, ms)),
        1 => Just(Event::ForgetOthers),
        1 => Just(Event::Explain),
    ]
}

/// What anybody would write down: which ports there are, what each does, and since when which may be used again.
#[derive(Default)]
struct Book {
    allowed: BTreeSet<Port>,
    lent: Vec<(SocketAddr, Local)>,
    listening: Vec<Port>,
    rests: HashMap<Port, Moment>,
    until: HashMap<(SocketAddr, Local), Moment>,
    refused: BTreeSet<(SocketAddr, Local)>,
    kept: Vec<(SocketAddr, Port, Moment)>,
    held: Vec<(Port, Moment)>,
}

impl Book {
    fn locals(&self) -> Vec<Local> {
        self.allowed.iter().map(|port| Local::any(*port)).collect()
    }

    /// When it may be used, if nobody gives anything back; `None` while it is lent or listened on.
    fn from(&self, to: SocketAddr, local: Local) -> Option<Moment> {
        if self.lent.contains(&(to, local)) || self.listening.contains(&local.port) {
            return None;
        }
        let own = self.until.get(&(to, local)).copied();
        Some(own.max(self.others(to, local)).unwrap_or_default())
    }

    fn others(&self, to: SocketAddr, local: Local) -> Option<Moment> {
        let kept = self.kept.iter().filter(|(it, port, _)| (*it, *port) == (to, local.port));
        let held = self.held.iter().filter(|(port, _)| *port == local.port);
        kept.map(|(_, _, end)| *end).chain(held.map(|(_, end)| *end)).max()
    }

    /// What others are known to have longer than the refusal lasts is their business from now on.
    fn explain_refusals(&mut self, now: Moment) {
        for key in self.refused.clone() {
            let own = self.until.get(&key).copied();
            if own > Some(now) && self.others(key.0, key.1) > own {
                self.until.remove(&key);
                self.refused.remove(&key);
            }
        }
    }

    fn usable(&self, to: SocketAddr, now: Moment) -> Vec<Local> {
        let free = |local: &Local| self.from(to, *local).is_some_and(|from| from <= now);
        self.locals().into_iter().filter(free).collect()
    }

    fn in_use(&self, port: Port) -> bool {
        self.listening.contains(&port) || self.lent.iter().any(|(_, local)| local.port == port)
    }

    fn is_held(&self, port: Port, now: Moment) -> bool {
        self.held.iter().any(|(it, end)| *it == port && *end > now)
    }
}

/// One event, in the pool and in the book, which must agree.
fn happen(
    pool: &mut Pool,
    book: &mut Book,
    now: &mut Moment,
    event: Event,
) -> Result<(), TestCaseError> {
    match event {
        Event::Take(at) => take(pool, book, destinations()[at], *now)?,
        Event::Back(which, afterwards) if !book.lent.is_empty() => {
            let (to, local) = book.lent.swap_remove(which % book.lent.len());
            pool.give_back(to, local, afterwards, *now);
            book.until.insert((to, local), *now + afterwards.quarantine());
            if afterwards == Afterwards::Refused {
                book.refused.insert((to, local));
            } else {
                book.refused.remove(&(to, local));
            }
        }
        Event::Pass(millis) => *now = *now + Moment::of_millis(millis),
        Event::Forget => {
            pool.forget_idle(*now);
        }
        Event::Allow(port) => {
            pool.allow(Port(port));
            book.allowed.insert(Port(port));
        }
        Event::Withdraw(port) => {
            let withdrawn = pool.withdraw(Port(port));
            book.allowed.remove(&Port(port));
            prop_assert_eq!(withdrawn == Withdrawn::InUse, book.in_use(Port(port)));
        }
        Event::Listen => listen(pool, book, *now)?,
        Event::EndListening(which, rest) if !book.listening.is_empty() => {
            let port = book.listening.swap_remove(which % book.listening.len());
            let from = *now + Moment::of_millis(rest);
            pool.end_listening(port, from);
            book.rests.insert(port, from);
        }
        Event::Back(..) | Event::EndListening(..) => {}
        Event::Keep(to, port, millis) => {
            let (to, until) = (destinations()[to], *now + Moment::of_millis(millis));
            pool.keep(to, [10, 0, 0, 1].into(), Port(port), until);
            if !book.lent.contains(&(to, Local::any(Port(port)))) {
                book.kept.push((to, Port(port), until));
            }
        }
        Event::Hold(port, millis) => {
            let until = *now + Moment::of_millis(millis);
            pool.hold([0; 4].into(), Port(port), until, Hold::Remains);
            book.held.push((Port(port), until));
        }
        Event::Explain => {
            pool.explain_refusals(*now);
            book.explain_refusals(*now);
        }
        Event::ForgetOthers => {
            pool.forget_others();
            book.kept.clear();
            book.held.clear();
        }
    }
    Ok(())
}

fn take(
    pool: &mut Pool,
    book: &mut Book,
    to: SocketAddr,
    now: Moment,
) -> Result<(), TestCaseError> {
    let usable = book.usable(to, now);
    prop_assert_eq!(pool.standing(to, now).free, usable.len());
    match pool.take(to, now) {
        Choice::Take(local) => {
            prop_assert!(usable.contains(&local), "{local:?} at {now}");
            book.lent.push((to, local));
        }
        Choice::DryUntil(next) => {
            prop_assert_eq!(&usable, &[]);
            let ends: Vec<_> =
                book.locals().into_iter().filter_map(|local| book.from(to, local)).collect();
            prop_assert_eq!(next.is_some(), !ends.is_empty());
            // A port may be kept by several at once; the moment told is no later than the first that counts.
            prop_assert!(next.is_none_or(|next| next > now && Some(&next) <= ends.iter().min()));
        }
    }
    Ok(())
}

fn listen(pool: &mut Pool, book: &mut Book, now: Moment) -> Result<(), TestCaseError> {
    let may = |port: &Port| {
        !book.listening.contains(port)
            && !book.is_held(*port, now)
            && book.rests.get(port).is_none_or(|from| *from <= now)
    };
    let usable: Vec<Port> = book.allowed.iter().copied().filter(may).collect();
    let standing = pool.standing_to_listen(now);
    prop_assert_eq!((standing.size(), standing.free), (book.allowed.len(), usable.len()));
    prop_assert_eq!(
        standing.next_ms.is_some(),
        standing.free == 0 && standing.listening < standing.size()
    );
    match pool.take_to_listen(now) {
        Choice::Take(local) => {
            prop_assert!(usable.contains(&local.port), "{local:?} of {usable:?}");
            let idle_one = usable.iter().any(|port| !book.in_use(*port));
            prop_assert!(!idle_one || !book.in_use(local.port), "an idle one is preferred");
            book.listening.push(local.port);
        }
        Choice::DryUntil(next) => {
            prop_assert_eq!(&usable, &[]);
            prop_assert!(next.is_none_or(|next| next > now));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_port_is_lent_twice_or_in_quarantine_and_none_is_withheld(
        size in 1..6_u16,
        seed in any::<u64>(),
        events in proptest::collection::vec(any_event(), 1..200),
    ) {
        let ports: Vec<Port> = (0..size).map(|n| Port(1000 + n)).collect();
        let mut pool = Pool::new(ports.iter().copied()).starting_at(seed);
        let mut book = Book { allowed: ports.into_iter().collect(), ..Book::default() };
        let mut now = Moment(0);
        for event in events {
            happen(&mut pool, &mut book, &mut now, event)?;
            for to in destinations() {
                let standing = pool.standing(to, now);
                prop_assert_eq!(standing.size(), book.allowed.len());
                prop_assert_eq!(standing.free, book.usable(to, now).len());
                let lent = |(it, local): &&(SocketAddr, Local)| {
                    *it == to && book.allowed.contains(&local.port)
                };
                prop_assert_eq!(standing.lent, book.lent.iter().filter(lent).count());
            }
            for port in (1000..1006).map(Port) {
                prop_assert_eq!(pool.is_idle(port), !book.in_use(port));
            }
        }
    }

    #[test]
    fn all_ports_are_used_alike_wherever_they_begin(
        size in 1..9_u16, seed in any::<u64>(), rounds in 1..6_u32,
    ) {
        let mut pool = Pool::new((0..size).map(|n| Port(1000 + n))).starting_at(seed);
        let (to, mut used) = (destinations()[0], BTreeMap::<Port, u32>::new());
        for _ in 0..u32::from(size) * rounds {
            let Choice::Take(local) = pool.take(to, Moment(0)) else { panic!("one is free") };
            *used.entry(local.port).or_default() += 1;
            pool.give_back(to, local, Afterwards::Nothing, Moment(0));
        }
        prop_assert!(used.values().all(|times| *times == rounds), "{used:?}");
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
            let lent = Local::any(pool.ledgers[&to].lent.first().expect("one was lent").port);
            pool.give_back(to, lent, Afterwards::TimeWait, now);
        }
    }
}

#[test]
fn the_ports_take_turns() {
    let mut pool = Pool::new([Port(1), Port(2), Port(3)]);
    let to = destinations()[0];
    let mut used = Vec::new();
    for _ in 0..6 {
        let Choice::Take(local) = pool.take(to, Moment(0)) else { panic!("a port is free") };
        used.push(local.port.0);
        pool.give_back(to, local, Afterwards::Nothing, Moment(0));
    }
    assert_eq!(used, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn what_was_never_lent_is_not_taken_back() {
    let mut pool = Pool::new([Port(1), Port(1)]);
    let (to, one) = (destinations()[0], Local::any(Port(1)));
    pool.give_back(to, one, Afterwards::Nothing, Moment(0));
    assert_eq!(pool.take(to, Moment(0)), Choice::Take(one));
    pool.give_back(to, Local::any(Port(2)), Afterwards::Nothing, Moment(0));
    assert_eq!(pool.take(to, Moment(0)), Choice::DryUntil(None));
    assert_eq!(pool.size(), 1);
}

#[test]
fn each_address_has_every_port_toward_destinations_of_its_family() {
    let (v4, v6): (IpAddr, IpAddr) = ([192, 0, 2, 9].into(), "2001:db8::9".parse().unwrap());
    let mut pool = Pool::new([Port(1), Port(2)]).with_addresses([v4, v6, [192, 0, 2, 8].into()]);
    assert_eq!(pool.size(), 6);
    let (to, to_v6) = (destinations()[0], "[2001:db8::1]:514".parse().unwrap());
    let take_all = |pool: &mut Pool, to| {
        std::iter::from_fn(|| match pool.take(to, Moment(0)) {
            Choice::Take(local) => Some(local),
            Choice::DryUntil(_) => None,
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(pool.standing(to, Moment(0)).free, 4);
    let taken = take_all(&mut pool, to);
    assert_eq!(taken.len(), 4);
    assert!(taken.iter().all(|local| local.address.is_some_and(|address| address.is_ipv4())));
    let taken = take_all(&mut pool, to_v6);
    assert_eq!(taken, [1, 2].map(|port| Local { address: Some(v6), port: Port(port) }));
}

#[test]
fn what_others_hold_on_one_address_leaves_the_others() {
    let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 9].into(), [192, 0, 2, 8].into());
    let mut pool = Pool::new([Port(1)]).with_addresses([one, other]);
    let to = destinations()[0];
    pool.hold(other, Port(1), Moment(9), Hold::Socket);
    assert_eq!((pool.standing(to, Moment(0)).free, pool.standing(to, Moment(0)).held), (1, 1));
    pool.keep(to, one, Port(1), Moment(5));
    assert_eq!(pool.take(to, Moment(0)), Choice::DryUntil(Some(Moment(5))));
    pool.hold([0; 4].into(), Port(1), Moment(9), Hold::Socket);
    assert_eq!(pool.take(to, Moment(5)), Choice::DryUntil(Some(Moment(9))));
    // What is gone before its time is told anew, and then not at all.
    pool.forget_others();
    assert!(matches!(pool.take(to, Moment(6)), Choice::Take(_)));
}

#[test]
fn a_mapped_destination_is_the_one_that_it_maps_to() {
    let mut pool = Pool::new([Port(1)]);
    let to = destinations()[0];
    assert_eq!(pool.take(to, Moment(0)), Choice::Take(Local::any(Port(1))));
    let mapped = "[::ffff:192.0.2.1]:514".parse().unwrap();
    assert_eq!(pool.take(mapped, Moment(0)), Choice::DryUntil(None));
}

#[test]
fn the_reserved_ports_bear_seven_connections_a_second_toward_one_destination() {
    let pool = Pool::new((512..1024).map(Port));
    assert_eq!(pool.standing(destinations()[0], Moment(0)).bearable_per_1000_s, 7876);
}
