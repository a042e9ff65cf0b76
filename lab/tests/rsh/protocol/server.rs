//! A server whose every step a test decides; told to behave, it runs the command as `rshd` does.

use rustix::net::sockopt;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A client that has connected.
pub(crate) struct Caller {
    pub(crate) main: TcpStream,
}

/// What a client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) local_user: String,
    pub(crate) remote_user: String,
    pub(crate) command: String,
}

impl Caller {
    /// The port that it wants to be called back on.
    pub(crate) fn port(&mut self) -> u16 {
        let field = self.field();
        if field.is_empty() { 0 } else { field.parse().expect("a port") }
    }

    /// Who asks for what.
    pub(crate) fn asked(&mut self) -> Asked {
        Asked { local_user: self.field(), remote_user: self.field(), command: self.field() }
    }

    /// Reads up to a NUL; ends the script if the client is gone.
    fn field(&mut self) -> String {
        let (mut field, mut octet) = (Vec::new(), [0]);
        while self.main.read_exact(&mut octet).is_ok() && octet != [0] {
            field.push(octet[0]);
        }
        String::from_utf8(field).expect("text")
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> String {
        let (mut line, mut octet) = (String::new(), [0]);
        while self.main.read_exact(&mut octet).is_ok() && octet != *b"\n" {
            line.push(octet[0].into());
        }
        line
    }

    pub(crate) fn say(&mut self, octets: &[u8]) {
        // A client that is gone is the test's business.
        let _ = self.main.write_all(octets);
    }

    /// Calls back from a reserved port.
    pub(crate) fn call_back(&self, port: u16) -> TcpStream {
        let peer = self.main.peer_addr().expect("a client").ip();
        let any: IpAddr = match peer {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut reserved = (512..=1023).rev();
        reserved
            .find_map(|from| connect(SocketAddr::new(any, from), SocketAddr::new(peer, port)).ok())
            .expect("a reserved port to call back from")
    }

    /// Takes the command: the connection for errors, if the client wants one, and what it asks.
    pub(crate) fn take(&mut self) -> (Option<TcpStream>, Asked) {
        let port = self.port();
        let errors = (port != 0).then(|| self.call_back(port));
        (errors, self.asked())
    }

    /// Does what `rshd` does.
    pub(crate) fn serve(mut self) {
        let (errors, asked) = self.take();
        if asked.command.is_empty() {
            return;
        }
        self.say(&[0]);
        let main = |stream: &TcpStream| OwnedFd::from(stream.try_clone().expect("a handle"));
        // Tests that run in the background of a shell inherit interrupts that are ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", "sh", "-c"]).arg(asked.command).process_group(0);
        command.stdin(Stdio::from(main(&self.main))).stdout(Stdio::from(main(&self.main)));
        let mut child = match &errors {
            None => command.stderr(Stdio::from(main(&self.main))).spawn(),
            Some(_) => command.stderr(Stdio::piped()).spawn(),
        }
        .expect("a shell");
        // The child has the connection; this handle shall not hold it open.
        drop(command);
        drop(self);
        let group = Pid::from_raw(child.id().cast_signed()).expect("a pid");
        if let Some(errors) = errors {
            let mut signals = errors.try_clone().expect("a handle");
            std::thread::spawn(move || {
                let mut octet = [0];
                while signals.read_exact(&mut octet).is_ok() {
                    let signal = Signal::from_named_raw(octet[0].into()).expect("a signal");
                    let _ = kill_process_group(group, signal);
                }
            });
            let mut pipe = child.stderr.take().expect("a pipe");
            let _ = std::io::copy(&mut pipe, &mut (&errors));
            let _ = errors.shutdown(Shutdown::Both);
        }
        let _ = child.wait();
    }

    /// Waits until the client closes or resets: how it left.
    pub(crate) fn await_end(&mut self) -> std::io::Result<()> {
        let mut room = [0; 4096];
        while self.main.read(&mut room)? > 0 {}
        Ok(())
    }

    pub(crate) fn reset(self) {
        sockopt::set_socket_linger(&self.main, Some(Duration::ZERO)).expect("an option");
    }
}

/// Connects from this address and port.
pub(crate) fn connect(from: SocketAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    use rustix::net::{self, AddressFamily, SocketType};
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, net::SocketFlags::CLOEXEC, None)?;
    net::bind(&socket, &from)?;
    net::connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// Listens, and plays the script for each client in a thread of its own.
pub(crate) fn listen(at: SocketAddr, script: impl Fn(Caller) + Clone + Send + 'static) {
    let listener = TcpListener::bind(at).expect("a listener");
    std::thread::spawn(move || {
        for main in listener.incoming() {
            let (script, main) = (script.clone(), main.expect("a client"));
            std::thread::spawn(move || script(Caller { main }));
        }
    });
}
