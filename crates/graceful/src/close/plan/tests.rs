//! Each way a close can go, told to the plan event by event.

use super::super::report::Delivered;
use super::*;
use crate::close::policy::AtDeadline;
use crate::close::report::{CloseReport, TimeWait};

const SECOND: Duration = Duration::from_secs(1);

struct Story {
    plan: Plan,
    began: Instant,
}

impl Story {
    fn of(policy: ClosePolicy) -> Self {
        let began = Instant::now();
        Self { plan: Plan::new(policy, began), began }
    }

    fn at(&self, seconds: u32, state: State, unacked: u32) -> Seen {
        let now = self.began + SECOND * seconds;
        Seen { now, state: Some(state), unacked: Some(unacked) }
    }

    fn shut_down(&mut self, before: State, seen: Seen) {
        assert_eq!(self.plan.want(), Want::Shutdown);
        self.plan.handle_shutdown(Some(before), seen);
    }

    fn over(&self, finish: Finish) -> CloseReport {
        assert_eq!(self.plan.want(), Want::Finish(finish));
        self.plan.report(self.began + SECOND * 60).expect("it is over")
    }
}

#[test]
fn this_side_first_and_then_the_peer() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::FinWait1, 101));
    story.plan.handle_octets(7, story.at(1, State::FinWait2, 0));
    story.plan.handle_end(story.at(2, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.first_fin), (Outcome::Orderly, FirstFin::Local));
    assert_eq!((report.time_wait, report.discarded), (TimeWait::Here, 7));
    assert_eq!(report.unacked, Some(0));
}

#[test]
fn what_is_acknowledged_is_looked_at_soon_where_it_was_not_with_our_fin() {
    let mut story = Story::of(ClosePolicy::server());
    let unlooked = Seen { unacked: None, ..story.at(0, State::FinWait1, 0) };
    story.shut_down(State::Established, unlooked);
    assert_eq!(story.plan.want(), Want::Read(story.began + Duration::from_millis(50)));
    story.plan.handle_timeout(story.at(1, State::FinWait1, 101));
    let next = story.began + SECOND + ClosePolicy::server().idle / 4;
    assert_eq!(story.plan.want(), Want::Read(next));
    story.plan.handle_end(story.at(2, State::Closed, 0));
    assert_eq!(story.over(Finish::Close).first_fin, FirstFin::LocalOrBoth);
}

#[test]
fn the_peer_first_where_it_may() {
    let mut story = Story::of(ClosePolicy::server().remote_first(SECOND));
    assert_eq!(story.plan.want(), Want::Read(story.began + SECOND));
    story.plan.handle_end(story.at(0, State::CloseWait, 0));
    story.shut_down(State::CloseWait, story.at(0, State::LastAck, 1));
    // The end of the stream can be read again and again.
    story.plan.handle_end(story.at(0, State::LastAck, 1));
    assert!(matches!(story.plan.want(), Want::Pause(_)));
    story.plan.handle_timeout(story.at(1, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.first_fin, report.time_wait), (FirstFin::Remote, TimeWait::Peer));
}

#[test]
fn a_peer_that_does_not_close_first_is_not_waited_for_longer_than_said() {
    let mut story = Story::of(ClosePolicy::server().remote_first(SECOND));
    story.plan.handle_timeout(story.at(1, State::Established, 0));
    story.shut_down(State::Established, story.at(1, State::FinWait1, 1));
    story.plan.handle_end(story.at(1, State::Closed, 0));
    assert_eq!(story.over(Finish::Close).first_fin, FirstFin::LocalOrBoth);
}

#[test]
fn silence_while_the_peer_may_close_first_is_no_reason_to_end_that_wait() {
    let policy = ClosePolicy::server().remote_first(SECOND * 20);
    let mut story = Story::of(policy);
    assert_eq!(story.plan.want(), Want::Read(story.began + SECOND * 20));
    story.plan.handle_octets(1, story.at(19, State::Established, 0));
    story.plan.handle_timeout(story.at(20, State::Established, 0));
    story.shut_down(State::Established, story.at(20, State::FinWait1, 1));
    story.plan.handle_timeout(story.at(24, State::FinWait2, 0));
    assert!(matches!(story.plan.want(), Want::Read(_)), "our FIN begins a new silence");
}

#[test]
fn a_peer_that_goes_on_sending_is_not_let_go_first_for_longer_than_said() {
    let mut story = Story::of(ClosePolicy::server().remote_first(SECOND * 2));
    story.plan.handle_octets(1, story.at(1, State::Established, 0));
    assert!(matches!(story.plan.want(), Want::Read(_)));
    story.plan.handle_octets(1, story.at(2, State::Established, 0));
    story.shut_down(State::Established, story.at(2, State::FinWait1, 1));
}

#[test]
fn when_the_total_is_up_before_the_peer_closed_first_nothing_is_called_unacknowledged() {
    let policy = ClosePolicy::server().remote_first(SECOND * 20).within(SECOND);
    let mut story = Story::of(policy);
    assert_eq!(story.plan.want(), Want::Read(story.began + SECOND));
    story.plan.handle_timeout(story.at(1, State::Established, 0));
    assert_eq!(story.over(Finish::Reset).outcome, Outcome::Acknowledged);
}

/// The peer sent data and its FIN before it had ours; all of it is found together with the acknowledgement.
#[test]
fn an_acknowledgement_found_with_octets_before_the_peers_fin_does_not_prove_who_was_first() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, Seen { unacked: None, ..story.at(0, State::FinWait1, 0) });
    assert!(story.plan.looks_at_state());
    story.plan.handle_octets(7, story.at(0, State::Closed, 0));
    story.plan.handle_end(Seen { state: None, ..story.at(0, State::Closed, 0) });
    let report = story.over(Finish::Close);
    assert_eq!(report.first_fin, FirstFin::LocalOrBoth);
    assert_eq!(report.delivered(), Delivered::ToKernel);
}

#[test]
fn an_end_of_the_programs_own_making_is_not_the_peers() {
    for policy in [ClosePolicy::server(), ClosePolicy::server().remote_first(SECOND)] {
        let mut story = Story::of(policy);
        story.plan.handle_end(story.at(0, State::Established, 0));
        if policy.order != Order::LocalFirst {
            assert_eq!(story.plan.want(), Want::Pause(story.began + FIRST_PAUSE));
            story.plan.handle_timeout(story.at(1, State::Established, 0));
        }
        story.shut_down(State::Established, story.at(1, State::FinWait1, 1));
        assert!(
            matches!(story.plan.want(), Want::Pause(_)),
            "an end would be read again and again"
        );
        story.plan.handle_timeout(story.at(2, State::FinWait2, 0));
        assert!(matches!(story.plan.want(), Want::Pause(_)));
        story.plan.handle_timeout(story.at(3, State::Closed, 0));
        let report = story.over(Finish::Close);
        assert_eq!((report.outcome, report.first_fin), (Outcome::Orderly, FirstFin::Local));
    }
}

#[test]
fn once_there_was_nothing_to_read_an_end_is_the_peers() {
    let mut story = Story::of(ClosePolicy::server());
    story.plan.handle_nothing();
    story.shut_down(State::Established, Seen { unacked: None, ..story.at(0, State::FinWait1, 0) });
    assert!(!story.plan.looks_at_end());
    story.plan.handle_end(Seen { state: None, ..story.at(0, State::Closed, 0) });
    assert_eq!(story.over(Finish::Close).outcome, Outcome::Orderly);
}

#[test]
fn a_fin_that_the_program_had_sent_is_told_though_the_connection_breaks() {
    for (state, first) in [(State::FinWait2, FirstFin::Local), (State::FinWait1, FirstFin::Unknown)]
    {
        let mut story = Story::of(ClosePolicy::server().remote_first(SECOND * 2));
        story.plan.handle_octets(7, story.at(1, state, 0));
        story.plan.handle_reset(story.at(1, State::Closed, 0));
        assert_eq!(story.over(Finish::Close).first_fin, first);
    }
}

#[test]
fn a_patience_beyond_all_clocks_is_borne() {
    let for_ever = ClosePolicy::server().within(Duration::MAX).idle(Duration::MAX);
    for policy in [for_ever, for_ever.remote_first(Duration::MAX)] {
        assert_ne!(Story::of(policy).plan.want(), Want::Finish(Finish::Reset));
    }
}

#[test]
fn a_fin_that_came_while_ours_was_sent_was_first() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::LastAck, 1));
    story.plan.handle_end(story.at(0, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.first_fin, report.time_wait), (FirstFin::Remote, TimeWait::Peer));
}

#[test]
fn what_cannot_be_told_is_not_told() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::Closed, 0));
    story.plan.handle_end(story.at(0, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.first_fin, report.time_wait), (FirstFin::Unknown, TimeWait::Unknown));
    assert_eq!(report.delivered(), Delivered::ToKernel);
}

#[test]
fn what_was_over_before_is_no_reset() {
    let mut story = Story::of(ClosePolicy::server());
    story.plan.handle_gone(story.at(0, State::Closed, 0));
    assert_eq!(story.over(Finish::Close).outcome, Outcome::Gone);
}

#[test]
fn what_ended_by_fins_while_the_peer_was_waited_for_is_orderly() {
    let mut story = Story::of(ClosePolicy::server().remote_first(SECOND));
    story.plan.handle_nothing();
    story.plan.handle_end(story.at(0, State::Closed, 0));
    assert_eq!(story.plan.want(), Want::Shutdown);
    story.plan.handle_gone(story.at(0, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.first_fin), (Outcome::Orderly, FirstFin::Unknown));
}

#[test]
fn fins_that_cross_are_told_apart() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::FinWait1, 1));
    story.plan.handle_end(story.at(0, State::Closing, 1));
    story.plan.handle_timeout(story.at(1, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.first_fin, report.time_wait), (FirstFin::Both, TimeWait::Both));
}

#[test]
fn a_peer_that_never_closes_is_left_at_the_deadline() {
    let endings = [
        (AtDeadline::Reset, Finish::Reset, TimeWait::Nobody),
        (AtDeadline::Orphan, Finish::Close, TimeWait::Open),
    ];
    for (at_deadline, finish, time_wait) in endings {
        let mut story = Story::of(ClosePolicy::server().at_deadline(at_deadline));
        story.shut_down(State::Established, story.at(0, State::FinWait2, 0));
        story.plan.handle_timeout(story.at(5, State::FinWait2, 0));
        let report = story.over(finish);
        assert_eq!((report.outcome, report.time_wait), (Outcome::Acknowledged, time_wait));
    }
}

#[test]
fn a_peer_that_trickles_is_left_when_the_total_is_up() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::FinWait2, 0));
    for second in 1..30 {
        story.plan.handle_octets(1, story.at(second, State::FinWait2, 0));
        assert!(matches!(story.plan.want(), Want::Read(_)), "second {second}");
    }
    story.plan.handle_octets(1, story.at(30, State::FinWait2, 0));
    assert_eq!(story.over(Finish::Reset).outcome, Outcome::Acknowledged);
}

#[test]
fn acknowledgements_are_signs_of_life_too() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::FinWait1, 1001));
    story.plan.handle_timeout(story.at(4, State::FinWait1, 501));
    story.plan.handle_timeout(story.at(8, State::FinWait1, 501));
    assert!(matches!(story.plan.want(), Want::Read(_)));
    story.plan.handle_timeout(story.at(9, State::FinWait1, 501));
    let report = story.over(Finish::Reset);
    assert_eq!((report.outcome, report.unacked), (Outcome::TimedOut, Some(500)));
    assert_eq!(report.delivered(), Delivered::No);
}

#[test]
fn a_peer_that_floods_is_left_at_the_limit() {
    let mut story = Story::of(ClosePolicy::server().discard_limit(1000));
    story.shut_down(State::Established, story.at(0, State::FinWait2, 0));
    story.plan.handle_octets(1000, story.at(0, State::FinWait2, 0));
    story.plan.handle_octets(1, story.at(0, State::FinWait2, 0));
    assert_eq!(story.over(Finish::Reset).outcome, Outcome::DiscardLimit);
}

#[test]
fn a_reset_ends_it_and_says_what_was_not_acknowledged() {
    let mut story = Story::of(ClosePolicy::server());
    story.shut_down(State::Established, story.at(0, State::FinWait1, 11));
    story.plan.handle_reset(story.at(0, State::Closed, 11));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.unacked), (Outcome::PeerReset, Some(10)));
    assert_eq!(report.time_wait, TimeWait::Nobody);
}

#[test]
fn what_a_layer_has_to_say_goes_before_the_fin_and_its_end_is_no_part_of_the_message() {
    let began = Instant::now();
    let mut story = Story { plan: Plan::layered(ClosePolicy::server(), began, 100, 30), began };
    assert!(matches!(story.plan.want(), Want::SendAndRead(100, _)), "{:?}", story.plan.want());
    story.plan.handle_sent(60, story.at(0, State::Established, 60));
    assert!(matches!(story.plan.want(), Want::SendAndRead(40, _)), "{:?}", story.plan.want());
    story.plan.handle_octets(7, story.at(0, State::Established, 0));
    story.plan.handle_sent(40, story.at(0, State::Established, 40));
    assert!(matches!(story.plan.want(), Want::SendAndRead(30, _)), "{:?}", story.plan.want());
    story.plan.handle_sent(30, story.at(0, State::Established, 70));
    story.shut_down(State::Established, story.at(0, State::FinWait1, 71));
    story.plan.handle_reset(story.at(1, State::Closed, 31));
    let report = story.over(Finish::Close);
    assert_eq!(
        (report.outcome, report.unacked, report.discarded),
        (Outcome::PeerReset, Some(0), 7)
    );
    assert_eq!(report.delivered(), Delivered::ToKernel);
}

#[test]
fn what_a_layer_could_not_hand_over_counts_as_not_acknowledged() {
    let policy = ClosePolicy::server().at_deadline(AtDeadline::Orphan);
    let began = Instant::now();
    let mut story = Story { plan: Plan::layered(policy, began, 100, 30), began };
    story.plan.handle_sent(60, story.at(0, State::Established, 5060));
    story.plan.handle_timeout(story.at(5, State::Established, 5060));
    // Left to the kernel, it would end with a FIN that says the message is whole.
    let report = story.over(Finish::Reset);
    assert_eq!((report.outcome, report.unacked), (Outcome::TimedOut, Some(5100)));
    assert_eq!((report.time_wait, report.delivered()), (TimeWait::Nobody, Delivered::No));

    let mut story = Story { plan: Plan::layered(policy, began, 0, 30), began };
    story.plan.handle_timeout(story.at(5, State::Established, 5000));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.unacked), (Outcome::TimedOut, Some(5000)));
}

#[test]
fn a_layer_lets_the_peer_close_first_once_the_message_is_sent() {
    let policy = ClosePolicy::server().remote_first(SECOND);
    let began = Instant::now();
    let mut story = Story { plan: Plan::layered(policy, began, 100, 30), began };
    story.plan.handle_sent(100, story.at(2, State::Established, 100));
    assert_eq!(story.plan.want(), Want::Read(began + SECOND * 3));
    story.plan.handle_end(story.at(2, State::CloseWait, 0));
    assert!(matches!(story.plan.want(), Want::Send(30, _)), "{:?}", story.plan.want());
    story.plan.handle_sent(30, story.at(2, State::CloseWait, 30));
    story.shut_down(State::CloseWait, story.at(2, State::LastAck, 31));
    story.plan.handle_end(story.at(2, State::LastAck, 31));
    story.plan.handle_timeout(story.at(2, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.first_fin), (Outcome::Orderly, FirstFin::Remote));
}

#[test]
fn a_peer_that_closes_before_it_has_the_message_is_not_waited_for() {
    let policy = ClosePolicy::server().remote_first(SECOND);
    let began = Instant::now();
    let mut story = Story { plan: Plan::layered(policy, began, 100, 0), began };
    story.plan.handle_end(story.at(0, State::CloseWait, 0));
    assert!(matches!(story.plan.want(), Want::Send(100, _)), "{:?}", story.plan.want());
    story.plan.handle_sent(100, story.at(0, State::CloseWait, 100));
    assert_eq!(story.plan.want(), Want::Shutdown);
}

#[test]
fn a_program_that_sent_its_fin_itself_has_cut_its_layer_off() {
    let began = Instant::now();
    let mut story = Story { plan: Plan::layered(ClosePolicy::server(), began, 100, 30), began };
    story.plan.handle_sealed(story.at(0, State::FinWait2, 0));
    story.shut_down(State::FinWait2, story.at(0, State::FinWait2, 0));
    story.plan.handle_end(story.at(1, State::Closed, 0));
    let report = story.over(Finish::Close);
    assert_eq!((report.outcome, report.unacked), (Outcome::Orderly, Some(100)));
    assert_eq!(report.delivered(), Delivered::No);
}
