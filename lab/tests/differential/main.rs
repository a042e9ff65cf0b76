//! The model against the kernel: random sockets on a port, a random question, two answers compared.
//!
//! Every answer that the model calls certain must be the kernel's, error included, whether it saw only a dump, the
//! options behind descriptors too, or everything. Where it is not certain, a trial bind decides, and then all must agree.
//!
//! `LASTACK_DIFF_CASES` sets the number of cases (2,000 otherwise), `LASTACK_DIFF_SEED` repeats a run,
//! `LASTACK_DIFF_CASE` repeats one of its cases alone.

mod bench;
mod case;
mod exam;
mod mutation;
mod stage;
mod tally;
mod waits;
mod walk;

use lastack_model::facts::Transport;
use tally::{Plan, run};

#[test]
fn every_certain_answer_is_the_kernels_and_a_trial_decides_the_rest() {
    let plan = Plan::from_environment(Transport::Tcp, 2_000);
    let tally = run(&plan);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{}", tally.report(&plan));
    assert!(tally.moved * 100 <= tally.cases, "too many cases moved by themselves: {tally}");
}

#[test]
fn every_certain_answer_about_udp_is_the_kernels_too() {
    let plan = Plan::from_environment(Transport::Udp, 1_000);
    let tally = run(&plan);
    println!("UDP: {tally}");
    assert!(tally.failures.is_empty(), "{}", tally.report(&plan));
}

#[test]
fn each_broken_rule_is_caught() {
    let plan = Plan { keep_exams: true, ..Plan::of(Transport::Tcp, 20_261_125, 6_000) };
    let tally = run(&plan);
    assert!(tally.failures.is_empty(), "{}", tally.report(&plan));
    let caught = mutation::caught(&tally.exams);
    for (rule, times) in &caught {
        println!("{rule}: {times} of {} questions misjudged", tally.exams.len());
    }
    let missed: Vec<_> = caught.iter().filter(|(_, times)| *times == 0).collect();
    assert!(missed.is_empty(), "not noticed when broken: {missed:?}");
}

#[test]
fn a_held_port_is_free_when_it_is_said_to_be() {
    // A TIME_WAIT lasts a minute, which only the long run has.
    let minute =
        std::env::var_os("LASTACK_DIFF_CASES").map(|_| std::thread::spawn(waits::time_waits));
    let mut freed = waits::orphans();
    freed.extend(minute.into_iter().flat_map(|thread| thread.join().expect("a sample")));
    for one in &freed {
        println!("port {}: told {:?}, free after {:?}", one.port, one.told, one.took);
        assert!(one.is_as_told(), "{one:?}");
    }
    assert!(freed.len() >= 6, "{freed:?}");
}
