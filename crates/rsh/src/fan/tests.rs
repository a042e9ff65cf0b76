use super::plan::{After, Ended, Next, Plan};
use super::*;
use crate::{Cause, Failure, Limits, Output, Ran, Report, Source, Stage, Stdin, Stop};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The tasks that may start now.
fn started(plan: &mut Plan, now: Duration) -> Vec<usize> {
    let mut all = Vec::new();
    while let Next::Start { task, .. } = plan.next(now) {
        all.push(task);
    }
    all
}

#[test]
fn tasks_start_as_listed_so_many_at_once_and_a_host_is_finished_first() {
    // Three hosts with two commands each.
    let mut plan = Plan::new([2, 2, 2], 2, 0);
    assert_eq!(started(&mut plan, at(0)), [0, 2]);
    assert_eq!(plan.next(at(0)), Next::Wait(None));
    assert_eq!(plan.ended(1, Ended::Ran, at(1)), After::Over { attempts: 1, not_run: vec![] });
    assert_eq!(started(&mut plan, at(1)), [3], "the second command of the host that is warm");
    plan.ended(1, Ended::Ran, at(2));
    assert_eq!(started(&mut plan, at(2)), [4]);
    plan.ended(2, Ended::Ran, at(3));
    plan.ended(0, Ended::Ran, at(3));
    assert_eq!(started(&mut plan, at(3)), [1, 5]);
    plan.ended(0, Ended::Ran, at(4));
    assert_eq!(plan.next(at(4)), Next::Wait(None));
    plan.ended(2, Ended::Ran, at(4));
    assert_eq!(plan.next(at(4)), Next::Over);
}

#[test]
fn a_task_is_tried_again_after_a_pause_that_doubles_while_others_go_on() {
    let mut plan = Plan::new([1, 1], 1, 2);
    assert_eq!(started(&mut plan, at(0)), [0]);
    assert_eq!(plan.ended(0, Ended::DidNot, at(1)), After::Again(at(1)));
    assert_eq!(started(&mut plan, at(1)), [1], "its place is free meanwhile");
    plan.ended(1, Ended::Ran, at(1));
    assert_eq!(plan.next(at(1)), Next::Wait(Some(at(2))));
    assert_eq!(plan.next(at(2)), Next::Start { list: 0, task: 0, attempt: 2 });
    assert_eq!(plan.ended(0, Ended::DidNot, at(2)), After::Again(at(2)));
    assert_eq!(plan.next(at(4)), Next::Start { list: 0, task: 0, attempt: 3 });
    let over = After::Over { attempts: 3, not_run: vec![] };
    assert_eq!(plan.ended(0, Ended::DidNot, at(4)), over);
    assert_eq!(plan.next(at(4)), Next::Over);
}

#[test]
fn a_host_where_nothing_can_be_started_is_not_asked_again() {
    let mut plan = Plan::new([3, 1], 2, 0);
    started(&mut plan, at(0));
    let over = After::Over { attempts: 1, not_run: vec![1, 2] };
    assert_eq!(plan.ended(0, Ended::DidNot, at(1)), over);
    plan.ended(1, Ended::Ran, at(1));
    assert_eq!(plan.next(at(1)), Next::Over);
}

#[test]
fn a_stop_forgets_what_waits_and_lets_end_what_runs() {
    let mut plan = Plan::new([2, 1, 1], 1, 5);
    started(&mut plan, at(0));
    assert_eq!(plan.stop(), [1, 2, 3]);
    assert_eq!(plan.next(at(0)), Next::Wait(None));
    plan.ended(0, Ended::DidNot, at(1));
    assert_eq!(plan.next(at(1)), Next::Over, "nothing is tried again");
    let mut resting = Plan::new([2], 1, 5);
    started(&mut resting, at(0));
    resting.ended(0, Ended::DidNot, at(0));
    assert_eq!(resting.stop(), [0, 1]);
    assert_eq!(resting.next(at(0)), Next::Over);
}

proptest! {
    #[test]
    fn every_task_ends_once_and_never_too_many_run(
        lengths in prop::collection::vec(0_usize..4, 0..12),
        width in 0_usize..5,
        retries in 0_u32..3,
        luck in prop::collection::vec(0_u8..4, 200),
        stop_after in prop::option::of(0_usize..20),
    ) {
        let count: usize = lengths.iter().sum();
        let mut plan = Plan::new(lengths, width, retries);
        let (mut running, mut over) = (Vec::new(), BTreeSet::new());
        let (mut now, mut step) = (Duration::ZERO, 0);
        loop {
            if stop_after == Some(step) {
                for task in plan.stop() {
                    prop_assert!(over.insert(task));
                }
            }
            step += 1;
            prop_assert!(step < 2000, "it does not end");
            match plan.next(now) {
                Next::Start { list, task, attempt } => {
                    prop_assert!(attempt <= retries + 1);
                    prop_assert!(running.iter().all(|(other, _)| *other != list), "one a host");
                    running.push((list, task));
                    prop_assert!(running.len() <= width.max(1));
                }
                Next::Wait(until) if running.is_empty() => {
                    let until = until.expect("something to wait for");
                    prop_assert!(until > now);
                    now = until;
                }
                Next::Wait(_) => {
                    let lucky = luck[step % luck.len()];
                    let (list, task) = running.remove(usize::from(lucky) % running.len());
                    let how = if lucky == 0 { Ended::DidNot } else { Ended::Ran };
                    if let After::Over { not_run, .. } = plan.ended(list, how, now) {
                        for task in std::iter::once(task).chain(not_run) {
                            prop_assert!(over.insert(task), "task {} twice", task);
                        }
                    }
                }
                Next::Over => break,
            }
        }
        prop_assert!(running.is_empty());
        prop_assert_eq!(over.len(), count);
    }
}

/// A carrier that does what its commands say.
#[derive(Debug, Default)]
struct Acting {
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Carrier for Acting {
    async fn run(&self, task: Task, output: Output, mut stop: Stop) -> Report {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let failed = |cause, ran| Err(Failure { stage: Stage::Connect, cause, ran });
        let result = match std::str::from_utf8(&task.command).expect("text") {
            "refuse" => failed(Cause::Refused("no".into()), Ran::No),
            "lose" => failed(Cause::Reset, Ran::Perhaps),
            "greet" => {
                output.put(Source::Stderr, b"welcome").await;
                failed(Cause::Refused("no".into()), Ran::No)
            }
            "hang" => failed(Cause::Stopped(stop.pulled().await), Ran::Perhaps),
            "deaf" => std::future::pending().await,
            "panic" => panic!("as it was told"),
            "flood" => {
                for _ in 0..2 * QUEUE {
                    output.put(Source::Stdout, b"x").await;
                }
                Ok(0)
            }
            "yes" => loop {
                tokio::select! {
                    () = output.put(Source::Stdout, b"y") => {}
                    signal = stop.pulled() => break failed(Cause::Stopped(signal), Ran::Perhaps),
                }
            },
            text => {
                output.put(Source::Stdout, text.as_bytes()).await;
                Ok(7)
            }
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        Report { result, elapsed: Duration::ZERO, notes: Vec::new() }
    }
}

fn task(command: &str) -> Task {
    let limits = Limits { grace: at(1), ..Limits::default() };
    let command = command.as_bytes().into();
    Task { host: "h".into(), user: None, command, stdin: Stdin::Nothing, limits }
}

fn lists(commands: &[&str]) -> Vec<Vec<Task>> {
    commands.iter().map(|command| vec![task(command)]).collect()
}

async fn all(mut events: Events) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

fn report_of(all: &[Event], wanted: usize) -> &Report {
    let found = all.iter().find_map(|event| match event {
        Event::Ended { task, report, .. } if *task == wanted => Some(report),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no end of {wanted} in {all:#?}"))
}

#[tokio::test(start_paused = true)]
async fn one_bad_host_never_stops_the_others() {
    let terms = Terms { width: 2, retries: 1, total: None };
    let carrier = Arc::new(Acting::default());
    let commands = ["refuse", "lose", "panic", "a", "b", "c"];
    let (_control, events) = start(carrier.clone(), lists(&commands), terms);
    let all = all(events).await;
    assert_eq!(carrier.most.load(Ordering::SeqCst), 2);
    for task in 3..6 {
        assert_eq!(report_of(&all, task).result, Ok(7));
    }
    let again = all.iter().filter(|event| matches!(event, Event::Again { .. })).count();
    assert_eq!(again, 1, "only what certainly did not run: {all:#?}");
    let Err(failure) = &report_of(&all, 2).result else { panic!("{all:#?}") };
    assert!(failure.to_string().contains("a fault in lastack itself"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn what_a_task_wrote_comes_before_its_end_and_is_complete() {
    let (_control, events) =
        start(Arc::new(Acting::default()), lists(&["flood"; 4]), Terms::default());
    let all = all(events).await;
    let mut written = [0; 4];
    for event in &all {
        match event {
            Event::Wrote(piece) => written[piece.task] += piece.octets.len(),
            Event::Ended { task, .. } => assert_eq!(written[*task], 2 * QUEUE, "task {task}"),
            _ => {}
        }
    }
    assert_eq!(written, [2 * QUEUE; 4]);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_his_time_is_told_of_each_attempt_in_its_order() {
    let terms = Terms { width: 2, retries: 2, total: None };
    let (_control, mut events) =
        start(Arc::new(Acting::default()), lists(&["greet", "greet"]), terms);
    tokio::time::sleep(at(60)).await;
    let mut told = [Vec::new(), Vec::new()];
    while let Some(event) = events.next().await {
        match event {
            Event::Started { task, attempt } => told[task].push(format!("start {attempt}")),
            Event::Wrote(piece) => told[piece.task].push("welcome".into()),
            Event::Again { task, .. } => told[task].push("again".into()),
            Event::Ended { task, .. } => told[task].push("end".into()),
            other => panic!("{other:?}"),
        }
    }
    let attempts = ["start 1", "welcome", "again", "start 2", "welcome", "again", "start 3"];
    let expected = [&attempts[..], &["welcome", "end"]].concat();
    assert_eq!(told, [expected.clone(), expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_writes_without_end_keeps_no_news_of_others_waiting_and_starts_before_it_writes() {
    const ENDED: usize = 50;
    let terms = Terms { width: 2, ..Terms::default() };
    let commands = [&["yes"][..], &["a"; ENDED]].concat();
    let (control, mut events) = start(Arc::new(Acting::default()), lists(&commands), terms);
    let (mut started, mut ended, mut told) = (BTreeSet::new(), 0, 0);
    while ended < ENDED {
        match events.next().await.expect("it goes on") {
            Event::Started { task, .. } => assert!(started.insert(task)),
            Event::Wrote(piece) => assert!(started.contains(&piece.task), "{piece:?}"),
            Event::Ended { .. } => ended += 1,
            other => panic!("{other:?}"),
        }
        told += 1;
        assert!(told < 4 * ENDED * QUEUE, "{ended} ended");
    }
    control.stop(Signal::Terminate);
    assert_eq!(
        report_of(&all(events).await, 0).result.as_ref().map_err(|failure| &failure.cause),
        Err(&Cause::Stopped(Signal::Terminate))
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_time_for_all_is_over_what_runs_is_stopped_and_the_rest_never_starts() {
    let terms = Terms { width: 1, total: Some(at(60)), ..Terms::default() };
    let (_control, events) = start(Arc::new(Acting::default()), lists(&["hang", "a"]), terms);
    let all = all(events).await;
    assert!(all.contains(&Event::Stopping(NotRun::TimedOut)), "{all:#?}");
    assert!(all.contains(&Event::NotRun { task: 1, why: NotRun::TimedOut }), "{all:#?}");
    let Err(failure) = &report_of(&all, 0).result else { panic!("{all:#?}") };
    assert_eq!(failure.cause, Cause::Stopped(Signal::Terminate));
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_hears_nothing_is_given_up() {
    let (control, events) =
        start(Arc::new(Acting::default()), lists(&["deaf", "a"]), Terms::default());
    control.stop(Signal::Interrupt);
    let all = all(events).await;
    let Err(failure) = &report_of(&all, 0).result else { panic!("{all:#?}") };
    assert_eq!(failure.cause, Cause::Stopped(Signal::Interrupt));
    assert_eq!(failure.ran, Ran::Perhaps);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_listens_any_more_it_is_stopped() {
    let carrier = Arc::new(Acting::default());
    let (_control, mut events) = start(carrier.clone(), lists(&["hang"]), Terms::default());
    assert_eq!(events.next().await, Some(Event::Started { task: 0, attempt: 1 }));
    drop(events);
    while Arc::strong_count(&carrier) > 1 {
        tokio::task::yield_now().await;
    }
}
