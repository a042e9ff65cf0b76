//! `lastack wait ADDR [-- CMD…]`: until it can be bound, somebody listens there, or a connection is accepted; then CMD.

use crate::address::{self, Place, Target};
use crate::args::{LookArgs, Until, WaitArgs};
use crate::ask;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::countdown::Countdown;
use crate::report::wait as report;
use crate::waiting::{self, End, Limits, Refused, Waited};
use lastack_model::facts::{Host, Transport};
use lastack_model::ids::InterfaceIndex;
use lastack_model::waiting::Spot;
use lastack_os::interrupt::Interrupt;
use lastack_os::{host, namespace, process};
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::process::CommandExt;
use std::path::{Display, Path};
use std::process::Command;
use std::time::Instant;

/// Waits, reports, and becomes the command if there is one.
pub fn run(args: &WaitArgs) -> Result<Exit, Error> {
    let began = Instant::now();
    let target = address::parse(&args.address).map_err(Error::new)?;
    check(args, &target)?;
    let words = args.command.split_first();
    let command = words.map(|(program, arguments)| find(program, arguments)).transpose()?;
    let interrupt = Interrupt::catch()?;
    let limits = Limits {
        deadline: args.timeout.map(|time| began + time),
        interrupt: Some(&interrupt),
        refused: if args.even_if_refused { Refused::Waits } else { Refused::GivesUp },
    };
    let waited = match ask::namespace(&args.bind)? {
        Some(other) => namespace::within(&other, || wait(&target, args, &limits))??,
        None => wait(&target, args, &limits)?,
    };
    let waited = Waited { time: began.elapsed(), ..waited };
    // The command is to have the signals as they were.
    drop(interrupt);
    report::write(&waited, &target, args)?;
    let exit = exit(&waited.end);
    match command {
        Some(mut command) if exit == Exit::Yes => {
            let cause = command.exec();
            Err(Error::new(format!("failed to run {}: {cause}", name(command.get_program()))))
        }
        _ => Ok(exit),
    }
}

/// The exit code of a wait.
pub const fn exit(end: &End) -> Exit {
    match end {
        End::Reached => Exit::Yes,
        End::Refused(_) => Exit::No,
        End::TimedOut(_) => Exit::TimedOut,
        End::Interrupted => Exit::Interrupted,
    }
}

fn wait(target: &Target, args: &WaitArgs, limits: &Limits<'_>) -> Result<Waited, Error> {
    let mut countdown = Countdown::on_terminal(target, args.until, limits.deadline);
    let on_progress = &mut |progress: &waiting::Progress<'_>| countdown.show(progress);
    let host = host::host()?;
    let device = ask::device(args.bind.device.as_deref(), &host)?;
    match args.until {
        Until::Bindable => {
            let binder = ask::binder(&args.bind, host.asker)?;
            let look = LookArgs { no_trial_bind: args.no_trial_bind, no_other_namespaces: true };
            let question = ask::question(target, &args.bind, &look, &host, binder.asker)?;
            waiting::until_bindable(&question, binder, limits, on_progress)
        }
        Until::Listening => {
            let place = (target.transport, target.port);
            waiting::until_listening(place, &spots(&target.place), device, limits, on_progress)
        }
        Until::Connectable => {
            let addresses = destinations(target, &host)?;
            waiting::until_connectable(&addresses, device, limits, on_progress)
        }
    }
}

/// What is asked for must mean something.
fn check(args: &WaitArgs, target: &Target) -> Result<(), Error> {
    if args.until == Until::Connectable && target.transport == Transport::Udp {
        return Err(Error::new("UDP has no connections (use --until listening for udp/)"));
    }
    if args.until == Until::Bindable {
        return Ok(());
    }
    let bind = &args.bind;
    let about_bind = [
        (bind.reuse_address, "--reuse-address"),
        (bind.reuse_port, "--reuse-port"),
        (bind.v6only, "--v6only"),
        (bind.uid.is_some(), "--uid"),
        (bind.like.is_some(), "--like"),
        (args.no_trial_bind, "--no-trial-bind"),
        (args.even_if_refused, "--even-if-refused"),
    ];
    match about_bind.iter().find(|(given, _)| *given) {
        Some((_, option)) => Err(Error::new(format!(
            "{option} is about a bind (leave it out with --until {})",
            args.until.word()
        ))),
        None => Ok(()),
    }
}

fn spots(place: &Place) -> Vec<Spot> {
    match place {
        Place::Anywhere => vec![Spot::Anywhere],
        Place::At(addresses) => addresses.iter().map(|ip| Spot::At(*ip)).collect(),
        Place::OnInterface(ip, _) => vec![Spot::At(IpAddr::V6(*ip))],
    }
}

/// Where to connect to. No address, or a wildcard, means this host itself.
fn destinations(target: &Target, host: &Host) -> Result<Vec<SocketAddr>, Error> {
    let port = target.port.0;
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let at = |ip| SocketAddr::new(ip, port);
    Ok(match &target.place {
        Place::Anywhere if host.ipv6 => vec![at(v4), at(v6)],
        Place::Anywhere => vec![at(v4)],
        Place::At(addresses) => {
            let reachable = |ip: &IpAddr| match ip {
                IpAddr::V4(any) if any.is_unspecified() => v4,
                IpAddr::V6(any) if any.is_unspecified() => v6,
                _ => *ip,
            };
            addresses.iter().map(reachable).map(at).collect()
        }
        Place::OnInterface(ip, interface) => {
            let scope = ask::device(Some(interface), host)?.map_or(0, |InterfaceIndex(at)| at);
            vec![SocketAddr::V6(SocketAddrV6::new(*ip, port, 0, scope))]
        }
    })
}

/// The command, found now: that it is missing should not come out after the wait.
fn find(program: &OsString, arguments: &[OsString]) -> Result<Command, Error> {
    let found = process::find_program(program).map_err(|cause| {
        Error::new(format!("failed to find {}: {cause} (nothing was waited for)", name(program)))
    })?;
    let mut command = Command::new(found);
    command.arg0(program).args(arguments);
    Ok(command)
}

fn name(program: &OsStr) -> Display<'_> {
    Path::new(program).display()
}
