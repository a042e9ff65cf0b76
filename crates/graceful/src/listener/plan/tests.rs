use super::*;

struct Scene {
    plan: Plan,
    now: Instant,
}

fn scene(successor: Successor) -> Scene {
    let now = Instant::now();
    Scene { plan: Plan::new(successor, now, now + Duration::from_secs(10)), now }
}

fn waiting(half_open: &[u64], queued: u32) -> Waiting {
    Waiting { half_open: Some(half_open.iter().map(|&cookie| Cookie(cookie)).collect()), queued }
}

impl Scene {
    fn begin(&mut self, method: Method) {
        assert_eq!(self.plan.want(), Want::Begin(method));
        self.plan.handle_begun();
    }

    fn look(&mut self, seen: Waiting) {
        if self.plan.want() == Want::Settle {
            self.plan.handle_settled();
        }
        assert_eq!(self.plan.want(), Want::Look);
        self.plan.handle_waiting(self.now, seen);
    }

    fn accept(&mut self, count: u32) {
        for _ in 0..count {
            assert!(matches!(self.plan.want(), Want::Accept(_) | Want::Sweep));
            self.plan.handle_accepted(self.now);
        }
    }
}

#[test]
fn a_listener_closes_once_its_handshakes_are_over_and_its_queue_is_empty_after_that() {
    let mut scene = scene(Successor::SameGroup { index: 1 });
    scene.begin(Method::Steered);
    scene.look(waiting(&[1, 2], 3));
    scene.accept(3);
    scene.plan.handle_quiet(scene.now);
    // 3 is another's: it began after all new ones went elsewhere.
    scene.look(waiting(&[2, 3], 0));
    scene.accept(1);
    scene.plan.handle_quiet(scene.now);
    scene.look(waiting(&[3], 0));
    assert_eq!(scene.plan.want(), Want::Settle, "the last may not be queued yet");
    scene.plan.handle_settled();
    assert_eq!(scene.plan.want(), Want::Sweep);
    scene.accept(1);
    scene.plan.handle_quiet(scene.now);
    assert_eq!((scene.plan.want(), scene.plan.accepted()), (Want::Close, 5));
}

#[test]
fn what_is_refused_is_followed_by_the_next_best() {
    let mut scene = scene(Successor::SameGroup { index: 1 });
    for method in [Method::Steered, Method::Migrated, Method::SynFilter, Method::TtlFloor] {
        assert_eq!(scene.plan.want(), Want::Begin(method));
        scene.plan.handle_refused();
    }
    scene.begin(Method::AcceptLoop);
    assert_eq!(scene.plan.want(), Want::Settle);
}

#[test]
fn a_listener_that_steers_to_itself_notices_and_takes_another_way() {
    let mut scene = scene(Successor::SameGroup { index: 0 });
    scene.begin(Method::Steered);
    scene.look(waiting(&[1], 1));
    scene.accept(2);
    assert!(matches!(scene.plan.want(), Want::Accept(_)), "as many as were here");
    scene.accept(1);
    assert_eq!(scene.plan.want(), Want::Begin(Method::Migrated));
}

#[test]
fn a_client_that_comes_over_the_ttl_floor_is_noticed() {
    let mut scene = scene(Successor::None);
    scene.plan.handle_refused();
    scene.begin(Method::TtlFloor);
    scene.look(waiting(&[1], 0));
    scene.accept(2);
    assert_eq!(scene.plan.want(), Want::Begin(Method::AcceptLoop));
}

#[test]
fn the_deadline_ends_it_with_handshakes_left() {
    let mut scene = scene(Successor::None);
    scene.begin(Method::SynFilter);
    scene.look(waiting(&[1, 2], 0));
    scene.now += Duration::from_secs(11);
    scene.plan.handle_quiet(scene.now);
    assert_eq!(scene.plan.want(), Want::Close);
    let there = [Cookie(2), Cookie(9)].into_iter().collect();
    assert_eq!(scene.plan.left(&there), 1, "only those that were waited for");
}

#[test]
fn the_deadline_ends_it_even_if_connections_never_stop() {
    let mut scene = scene(Successor::None);
    scene.plan.handle_refused();
    scene.plan.handle_refused();
    scene.begin(Method::AcceptLoop);
    scene.look(waiting(&[1], 1));
    scene.now += Duration::from_secs(11);
    scene.accept(1);
    assert_eq!(scene.plan.want(), Want::Close);
}

#[test]
fn where_handshakes_cannot_be_seen_they_get_some_time() {
    let mut scene = scene(Successor::None);
    scene.begin(Method::SynFilter);
    let blind = || Waiting { half_open: None, queued: 0 };
    scene.look(blind());
    scene.plan.handle_quiet(scene.now);
    scene.look(blind());
    assert!(matches!(scene.plan.want(), Want::Accept(_)));
    scene.now += BLIND;
    scene.plan.handle_quiet(scene.now);
    scene.look(blind());
    assert_eq!(scene.plan.want(), Want::Settle);
}

#[test]
fn a_shared_socket_is_left_alone() {
    let mut scene = scene(Successor::SharedSocket);
    scene.begin(Method::Shared);
    assert_eq!(scene.plan.want(), Want::Close);
}

#[test]
fn the_kernel_moves_what_is_left_at_once() {
    let mut scene = scene(Successor::SameGroup { index: 1 });
    scene.plan.handle_refused();
    scene.begin(Method::Migrated);
    assert_eq!(scene.plan.want(), Want::Close);
}

#[test]
fn a_want_of_descriptors_leaves_nobody_behind_before_the_deadline() {
    let mut scene = scene(Successor::None);
    scene.begin(Method::SynFilter);
    scene.look(waiting(&[], 1));
    scene.plan.handle_settled();
    scene.plan.handle_exhausted(scene.now);
    assert_eq!(scene.plan.want(), Want::Sweep);
    scene.now += Duration::from_secs(11);
    scene.plan.handle_exhausted(scene.now);
    assert_eq!(scene.plan.want(), Want::Close);
}
