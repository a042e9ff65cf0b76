//! From what was typed to what it means: the binds that an address stands for, and who would make them.

use crate::address::{Place, Target};
use crate::args::{BindArgs, LookArgs};
use crate::error::Error;
use crate::like::Wildcard;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Asker, Host, Transport};
use lastack_model::ids::{InterfaceIndex, Pid, Uid};
use lastack_model::why::{Permission, Question};
use lastack_os::gather::Binder;
use lastack_os::host;
use lastack_os::namespace::{self, Namespace};
use lastack_os::process::{self, Credentials};
use lastack_os::trial::TrialUser;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The namespace that the arguments name, if not the caller's.
pub fn namespace(bind: &BindArgs) -> Result<Option<Namespace>, Error> {
    match (&bind.netns, bind.pid) {
        (Some(name), _) => Ok(Some(namespace::by_name(name)?)),
        (None, Some(pid)) => {
            let theirs = namespace::of_process(Pid(pid));
            Ok(Some(theirs.map_err(|error| error.with_remedy("is there such a process?"))?))
        }
        (None, None) => Ok(None),
    }
}

/// Who would bind, by the arguments.
pub fn binder(bind: &BindArgs, own: Asker) -> Result<Binder, Error> {
    if let Some(pid) = bind.pid {
        let credentials = process::credentials(Pid(pid))?;
        let asker = host::asker(&credentials);
        let Credentials { uid, gid, capabilities } = credentials;
        let trial = TrialUser::UserWith { uid, gid, capabilities };
        return Ok(Binder { asker: Asker { may_inspect: own.may_inspect, ..asker }, trial });
    }
    let Some(name) = &bind.uid else {
        return Ok(Binder { asker: own, trial: TrialUser::Caller });
    };
    let uid = user(name)?;
    if uid == own.uid {
        return Ok(Binder { asker: own, trial: TrialUser::Caller });
    }
    let asker = Asker { uid, may_bind_reserved: uid.0 == 0, ..own };
    let trial = match uid.0 {
        0 => TrialUser::CallerOwning(0),
        other => TrialUser::User { uid: other, gid: other },
    };
    Ok(Binder { asker, trial })
}

/// The question that one address stands for.
pub fn question(
    target: &Target,
    bind: &BindArgs,
    look: &LookArgs,
    host: &Host,
    asker: Asker,
) -> Result<Question, Error> {
    let permission =
        |forbidden| if forbidden { Permission::Forbidden } else { Permission::Allowed };
    Ok(Question {
        asked: target.asked.clone(),
        requests: requests(target, bind, host, asker)?,
        trial: permission(look.no_trial_bind),
        elsewhere: permission(look.no_other_namespaces),
    })
}

fn requests(
    target: &Target,
    bind: &BindArgs,
    host: &Host,
    asker: Asker,
) -> Result<Vec<Request>, Error> {
    let mut options = Options {
        reuse_address: bind.reuse_address || bind.like.is_some(),
        reuse_port: bind.reuse_port,
        v6only: bind.v6only || (host.sysctls.bind_v6only && bind.like.is_none()),
        device: device(bind.device.as_deref(), host)?,
        free_bind: false,
    };
    if let Place::OnInterface(_, interface) = &target.place {
        options.device = device(Some(interface), host)?;
    }
    if target.transport == Transport::Udp && bind.like.is_some() {
        return Err(Error::new("--like describes TCP servers (leave it out for udp/)"));
    }
    let request = |address: IpAddr| Request {
        transport: target.transport,
        address,
        port: target.port,
        options: Options { v6only: options.v6only && address.is_ipv6(), ..options },
        uid: asker.uid,
        may_bind_reserved: asker.may_bind_reserved,
    };
    Ok(addresses(&target.place, bind, host).into_iter().map(request).collect())
}

/// A bare port means what a server means by it: the wildcard, of both families unless a program is imitated.
fn addresses(place: &Place, bind: &BindArgs, host: &Host) -> Vec<IpAddr> {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match place {
        Place::At(addresses) => addresses.clone(),
        Place::OnInterface(address, _) => vec![IpAddr::V6(*address)],
        Place::Anywhere => match bind.like.map(crate::like::Like::wildcard) {
            Some(Wildcard::DualStack) if host.ipv6 => vec![v6],
            None if host.ipv6 => vec![v4, v6],
            Some(Wildcard::DualStack | Wildcard::V4) | None => vec![v4],
        },
    }
}

/// The interface of that name.
pub fn device(name: Option<&str>, host: &Host) -> Result<Option<InterfaceIndex>, Error> {
    let Some(name) = name else { return Ok(None) };
    host.interface_named(name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = host.interfaces.iter().map(|i| i.name.as_str()).collect();
        Error::new(format!("no interface is called {name:?} (there are: {})", known.join(", ")))
    })
}

fn user(name: &str) -> Result<Uid, Error> {
    if let Ok(uid) = name.parse() {
        return Ok(Uid(uid));
    }
    process::user_number(name).ok_or_else(|| {
        Error::new(format!("no user is called {name:?} (use a number, or a name from /etc/passwd)"))
    })
}
