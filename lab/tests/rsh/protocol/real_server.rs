//! The same against Debian's `in.rshd`.

use super::scene::{Came, SOON, collect, hurried, task};
use lastack_graceful::ports::Ports;
use lastack_lab::namespace::Namespace;
use lastack_lab::rshd::{Rshd, TimeWaits};
use lastack_lab::states::wait_until;
use lastack_model::truth::Truth;
use lastack_rsh::rcmd::{Errors, Options, Rsh, Session};
use lastack_rsh::{Carrier, Cause, Ran, Signal, Stdin, Task};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

struct Real {
    rshd: Rshd,
    runtime: Runtime,
    ports: Ports,
    _here: Namespace,
}

impl Real {
    fn started(addresses: u8) -> Self {
        let here = Namespace::enter();
        let rshd = Rshd::started(&here, 1, addresses);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { rshd, runtime, ports: Ports::reserved(), _here: here }
    }

    fn rsh(&self, errors: Errors) -> Rsh {
        let mut options = Options::new("root");
        options.errors = errors;
        Rsh::new(self.ports.clone(), options).expect("a carrier")
    }

    fn run(&self, carrier: &impl Carrier, task: Task) -> Came {
        collect(&self.runtime, carrier, to(0, task), |_| std::future::pending())
    }
}

fn to(address: u8, task: Task) -> Task {
    Task { host: Rshd::address(1, address).to_string().into(), ..task }
}

#[test]
fn every_mode_brings_output_status_and_input_and_leaves_its_ports_alone() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let real = Real::started(1);
        let rsh = real.rsh(errors);
        for status in 0..20 {
            let came = real.run(&rsh, task(&format!("echo out; echo err >&2; exit {status}")));
            assert_eq!(came.report.result, Ok(status), "{errors:?}: {came:?}");
            let separate = errors != Errors::Merged;
            let expected = if separate { ("out\n", "err\n") } else { ("out\nerr\n", "") };
            assert_eq!(came.text(), expected, "{errors:?}");
            assert_eq!(came.report.notes, Vec::<String>::new());
        }
        let input: Arc<[u8]> = (0..=255).cycle().take(200_000).collect();
        let stdin = Stdin::Octets(Arc::clone(&input));
        let came = real.run(&rsh, Task { stdin: stdin.clone(), ..task("cat; exit 3") });
        assert!(came.report.result == Ok(3) && came.stdout == *input, "{:?}", came.report);
        let came = real.run(&rsh, Task { stdin, ..task("exit 4") });
        assert_eq!(came.report.result, Ok(4), "{:?}", came.report);
        let missing = Task { user: Some("nosuchuser".into()), ..task("true") };
        let refused = real.run(&rsh, missing);
        assert!(matches!(refused.failure().cause, Cause::Refused(_)), "{refused:?}");
        assert_eq!(refused.failure().ran, Ran::No);
        // Here only those of the standard error, there none of them.
        assert_eq!(TimeWaits::here().commands, 0, "{errors:?}");
        assert_eq!(real.rshd.time_waits(1).errors, 0, "{errors:?}");
        let standing = real.ports.standing((Rshd::address(1, 0), 514).into());
        assert_eq!((standing.lent, standing.quarantined), (0, 0), "{standing:?}");
    }
}

#[test]
fn a_deadline_and_a_stop_leave_nothing_running_there() {
    let real = Real::started(1);
    let rsh = real.rsh(Errors::Acknowledged);
    let short = Duration::from_millis(500);
    let over = Ran::Yes { ended: Truth::Yes };
    let came = real.run(&rsh, hurried("sleep 1000", SOON, short));
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::TimedOut(short), over));
    let stubborn = real.run(&rsh, hurried("trap '' TERM; sleep 1001; sleep 1002", SOON, short));
    assert_eq!(stubborn.failure().ran, over, "{stubborn:?}");
    let stopped =
        collect(&real.runtime, &rsh, to(0, task("echo on; sleep 1003")), async |mut news| {
            news.recv().await.expect("it runs");
            Signal::Interrupt
        });
    assert_eq!(stopped.failure().cause, Cause::Stopped(Signal::Interrupt));
    assert_eq!(stopped.failure().ran, over, "{stopped:?}");
    wait_until("nothing sleeps there", || {
        real.rshd.residents(1).iter().all(|it| !it.command.contains("sleep"))
    });
}

#[test]
fn a_session_asks_much_of_one_connection() {
    for errors in [Errors::Merged, Errors::Acknowledged] {
        let real = Real::started(1);
        let session = Session::new(real.rsh(errors));
        let began = Instant::now();
        for number in 0..600_u16 {
            let came = real.run(&session, task(&format!("echo {number}; exit {}", number % 250)));
            assert_eq!(came.report.result, Ok((number % 250) as u8), "{came:?}");
            assert_eq!(came.text().0, format!("{number}\n"));
        }
        let rate = 600.0 / began.elapsed().as_secs_f64();
        println!("{errors:?}: {rate:.0} commands a second over one connection");
        real.runtime.block_on(session.close(SOON));
        assert_eq!(real.ports.counts().connected, 1);
        wait_until("the server keeps it", || {
            real.rshd.time_waits(1) == TimeWaits { commands: 1, errors: 0 }
        });
        assert_eq!(TimeWaits::here().commands, 0);
    }
}

#[test]
fn a_server_that_calls_back_from_its_first_address_is_understood() {
    let real = Real::started(2);
    let rsh = real.rsh(Errors::Acknowledged);
    let pending = |_| std::future::pending();
    let came = collect(&real.runtime, &rsh, to(1, task("echo err >&2; exit 3")), pending);
    assert_eq!((came.report.result.clone(), came.text().1), (Ok(3), "err\n"), "{came:?}");
}
