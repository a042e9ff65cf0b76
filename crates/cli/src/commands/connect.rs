//! `lastack why --connect DEST`: why can I not connect?

use crate::address::{self, Place, Target};
use crate::args::WhyArgs;
use crate::ask;
use crate::commands::why;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::{connect as report, json};
use lastack_model::bind::Connect;
use lastack_model::facts::{Host, Socket, Transport};
use lastack_model::ids::Port;
use lastack_model::ports::{Strain, Survey};
use lastack_model::why::{Connection, Sample, Tuple, Verdict};
use lastack_os::sock_diag::{self, Detail, Filter, States};
use lastack_os::{gather, host, namespace};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Answers.
pub fn run(destination: &str, args: &WhyArgs) -> Result<Exit, Error> {
    let (connection, host) = match ask::namespace(&args.bind)? {
        Some(other) => namespace::within(&other, || look(destination, args))??,
        None => look(destination, args)?,
    };
    let exit = exit(&connection);
    if args.output.json {
        page::print(&json::connect(&connection, exit))
    } else {
        let mut page = Page::of_terminal();
        report::write(&mut page, &connection, &host);
        page.print()
    }?;
    Ok(exit)
}

fn look(destination: &str, args: &WhyArgs) -> Result<(Connection, Host), Error> {
    let host = host::host()?;
    let destination = one_address(destination, "a destination")?;
    let from = match &args.from {
        Some(text) => source(text)?,
        None => SocketAddr::new(host::source_toward(destination)?, 0),
    };
    let connect = Connect { destination, source: from.ip(), device: None };
    let connection = if from.port() == 0 {
        with_budget(&connect, from, args.sample, &host)?
    } else {
        with_tuple(&connect, from, args, &host)?
    };
    Ok((connection, host))
}

fn with_budget(
    connect: &Connect,
    from: SocketAddr,
    sample: Option<Duration>,
    host: &Host,
) -> Result<Connection, Error> {
    let before = survey(connect)?;
    let (survey, sample) = match sample {
        None => (before, None),
        Some(time) => {
            std::thread::sleep(time);
            let after = survey(connect)?;
            let opened = after.newer_than(&before);
            (after, Some(Sample { opened, over_ms: time.as_millis() as u64 }))
        }
    };
    let budget = survey.budget(host);
    Ok(Connection {
        destination: connect.destination,
        from,
        bind: None,
        tuple: None,
        strain: Some(budget.strain()),
        budget: Some(budget),
        sample,
    })
}

fn with_tuple(
    connect: &Connect,
    from: SocketAddr,
    args: &WhyArgs,
    host: &Host,
) -> Result<Connection, Error> {
    let port = Port(from.port());
    let filter = Filter::on_port(Transport::Tcp, port).with(Detail::Traffic);
    let add = |all: &mut Vec<Socket>, socket| all.push(socket);
    let sockets = sock_diag::fold(&filter, add)?.folded;
    Ok(Connection {
        destination: connect.destination,
        from,
        bind: Some(judge_bind(from, args, host)?),
        tuple: Some(Tuple::judge(connect, port, &sockets, host)),
        budget: None,
        strain: None,
        sample: None,
    })
}

/// The bind of the source port, with the options that were given.
fn judge_bind(from: SocketAddr, args: &WhyArgs, host: &Host) -> Result<Verdict, Error> {
    let target = Target {
        asked: from.to_string(),
        transport: Transport::Tcp,
        place: Place::At(vec![from.ip()]),
        port: Port(from.port()),
    };
    let binder = ask::binder(&args.bind, host.asker)?;
    let question = ask::question(&target, &args.bind, &args.look, host, binder.asker)?;
    let mut facts = gather::facts(&[(target.transport, target.port)], host)?;
    Ok(gather::explain(&question, &mut facts, binder).verdict)
}

fn survey(connect: &Connect) -> Result<Survey, Error> {
    let destination = connect.destination;
    let toward = Filter {
        remote: Some((destination.ip(), Port(destination.port()))),
        ..Filter::all(Transport::Tcp)
    };
    let source = connect.source.to_canonical();
    let mut survey = sock_diag::fold(&toward, |survey: &mut Survey, socket| {
        if socket.local.ip().to_canonical() == source {
            survey.add_toward(&socket);
        }
    })?
    .folded;
    let named = Filter::all(Transport::Tcp).in_states(States::BOUND).with(Detail::PortNamed);
    let bound = sock_diag::fold(&named, |all: &mut Vec<Socket>, socket| all.push(socket))?.folded;
    for socket in &bound {
        survey.add_bound(socket);
    }
    Ok(survey)
}

fn source(text: &str) -> Result<SocketAddr, Error> {
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, 0)),
        Err(_) => one_address(text, "a source"),
    }
}

fn one_address(text: &str, what: &str) -> Result<SocketAddr, Error> {
    let target = address::parse(text).map_err(Error::new)?;
    match (&target.place, target.transport) {
        (_, Transport::Udp) => Err(Error::new(format!("{text:?}: --connect is about TCP"))),
        (Place::At(addresses), Transport::Tcp) if !addresses.is_empty() => {
            Ok(SocketAddr::new(addresses[0], target.port.0))
        }
        _ => Err(Error::new(format!("{text:?} is not {what} (write 192.0.2.1:443 or host:443)"))),
    }
}

fn exit(connection: &Connection) -> Exit {
    let bind = connection.bind.map_or(Exit::Yes, why::exit);
    bind.worst(match (&connection.tuple, connection.strain) {
        (Some(Tuple::DependsOnTimestamps(_)), _) => Exit::Partly,
        (Some(Tuple::Taken(_)), _) | (None, Some(Strain::Spent)) => Exit::No,
        (Some(Tuple::Free | Tuple::Recycled(_)) | None, _) => Exit::Yes,
    })
}
