use super::*;

struct Scene {
    course: Course,
    now: Instant,
}

fn scene(listeners: usize) -> Scene {
    let mut course = Course::new(ShutdownPlan::new());
    (0..listeners).for_each(|_| course.handle_listening());
    Scene { course, now: Instant::now() }
}

impl Scene {
    fn want(&mut self) -> Want {
        self.course.want(self.now)
    }

    fn accepted(&mut self) -> Name {
        self.course.handle_accepted(self.now)
    }

    fn begin(&mut self) {
        assert_eq!(self.course.handle_begin(self.now), Begun::Now);
    }

    fn closed(&mut self) {
        self.course.handle_closed(None);
    }

    fn waits(&mut self) -> Duration {
        let now = self.now;
        match self.want() {
            Want::Wait(Some(until)) => until.saturating_duration_since(now),
            other => panic!("{other:?} is no wait"),
        }
    }

    fn report(&mut self) -> (ShutdownReport, Vec<Name>) {
        match self.want() {
            Want::Report(report, left) => (report, left),
            other => panic!("{other:?} is no report"),
        }
    }
}

#[test]
fn nothing_happens_before_it_begins_and_it_begins_once() {
    let mut scene = scene(1);
    scene.accepted();
    assert_eq!(scene.want(), Want::Wait(None));
    scene.begin();
    assert_eq!(scene.course.handle_begin(scene.now), Begun::Before);
}

#[test]
fn the_server_is_told_when_every_queue_is_empty_and_everybody_was_heard_of() {
    let mut scene = scene(2);
    let (heard, silent) = (scene.accepted(), scene.accepted());
    scene.course.handle_first_byte(heard);
    scene.now += Duration::from_secs(60);
    scene.begin();
    scene.closed();
    assert_eq!(scene.waits(), Duration::from_millis(5500), "one listener is left");
    scene.now += Duration::from_secs(1);
    let late = scene.accepted();
    scene.closed();
    assert_eq!(scene.waits(), Duration::from_millis(250), "from when it was accepted");
    scene.course.handle_first_byte(late);
    assert_eq!(scene.want(), Want::Tell, "the other had its time since the beginning");
    for name in [heard, silent, late] {
        scene.course.handle_closing(name);
    }
    assert_eq!(scene.want(), Want::Cut(Vec::new()));
    for name in [heard, silent, late] {
        scene.course.handle_ended(name, Some(Outcome::Orderly));
    }
    let (report, left) = scene.report();
    assert_eq!((report.let_go, report.finished, report.cut), (1, 3, 0));
    assert_eq!((report.closes.of(Outcome::Orderly), left), (3, Vec::new()));
    assert_eq!(report.elapsed.queue, Duration::from_secs(1));
}

#[test]
fn who_is_open_at_the_deadline_is_cut_and_who_never_ends_is_left() {
    let mut scene = scene(0);
    let (first, second) = (scene.accepted(), scene.accepted());
    scene.course.handle_first_byte(first);
    scene.course.handle_first_byte(second);
    scene.begin();
    assert_eq!(scene.want(), Want::Tell);
    assert_eq!(scene.waits(), Duration::from_secs(30));
    scene.course.handle_closing(second);
    scene.now += Duration::from_secs(30);
    assert_eq!(scene.want(), Want::Cut(vec![first]));
    assert_eq!(scene.waits(), Duration::from_millis(30_500));
    scene.course.handle_ended(first, None);
    scene.now += Duration::from_secs(31);
    let (report, left) = scene.report();
    assert_eq!((report.finished, report.cut, report.left, left), (1, 1, 1, vec![second]));
    assert_eq!(report.closes.iter().map(|(_, count)| count).sum::<u64>(), 0);
    assert!(!report.lost_nobody());
    assert_eq!(scene.want(), Want::Wait(None));
}

#[test]
fn a_listener_that_nobody_empties_does_not_keep_the_server() {
    let mut scene = scene(1);
    scene.begin();
    scene.now += Duration::from_secs(6);
    assert_eq!(scene.want(), Want::Tell);
    scene.closed();
    assert_eq!(scene.want(), Want::Cut(Vec::new()));
    let (report, _) = scene.report();
    assert_eq!((report.undrained, report.lost_nobody()), (1, false));
}

#[test]
fn clients_that_keep_coming_from_a_listener_that_is_late_do_not_keep_it_either() {
    let mut scene = scene(1);
    scene.begin();
    assert_eq!(scene.course.queues_end(), scene.now.checked_add(Duration::from_secs(5)));
    scene.now += Duration::from_millis(5400);
    scene.accepted();
    scene.now += Duration::from_millis(100);
    assert_eq!(scene.waits(), Duration::from_millis(150));
    scene.now += Duration::from_millis(200);
    scene.accepted();
    assert_eq!(
        scene.waits(),
        Duration::from_millis(50),
        "of the 250 from when all were to be empty"
    );
}

#[test]
fn what_ended_before_the_end_is_not_counted() {
    let mut scene = scene(0);
    let name = scene.accepted();
    scene.course.handle_ended(name, Some(Outcome::Orderly));
    scene.begin();
    assert_eq!(scene.want(), Want::Tell);
    assert_eq!(scene.want(), Want::Cut(Vec::new()));
    let (report, _) = scene.report();
    assert_eq!((report.finished, report.closes.of(Outcome::Orderly)), (0, 0));
    assert!(report.lost_nobody());
}

#[test]
fn limits_beyond_time_itself_are_no_limits() {
    let mut scene = scene(1);
    scene.course.plan = ShutdownPlan::new().queue(Duration::MAX).finish(Duration::MAX);
    scene.begin();
    assert_eq!(scene.want(), Want::Wait(None));
}
