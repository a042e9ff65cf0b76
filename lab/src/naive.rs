//! The rsh client that everybody writes first: it tries the reserved ports from the lowest one up, takes the first that
//! `bind()` accepts, and closes first.

use crate::crowd::blocking_socket;
use crate::sockets;
use rustix::io::Errno;
use rustix::net::{self, sockopt};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

/// Whether the search for a port sets `SO_REUSEADDR`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Search {
    /// It does: a port in `TIME_WAIT` can be bound.
    Reusing,
    /// It does not: such a port is passed over.
    Plain,
}

/// What came of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The port it came from.
    pub port: u16,
    /// What the command wrote.
    pub output: String,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Every port was in use.
    NoPort,
    /// This one could be bound, and `connect()` then said so.
    Connect(u16, Errno),
    /// The server closed or reset the connection before it had answered.
    Server,
}

/// Runs a command as root, its standard error merged into its output.
///
/// # Panics
///
/// When there are no sockets.
pub fn run(to: Ipv4Addr, command: &str, search: Search) -> Result<Answer, Failure> {
    let to = SocketAddr::from((to, 514));
    for port in 512..1024 {
        let socket = blocking_socket();
        let reusing = search == Search::Reusing;
        sockopt::set_socket_reuseaddr(&socket, reusing).expect("SO_REUSEADDR");
        if sockets::bind(&socket, (Ipv4Addr::UNSPECIFIED, port).into()).is_ok() {
            net::connect(&socket, &to).map_err(|errno| Failure::Connect(port, errno))?;
            let output = ask(TcpStream::from(socket), command).map_err(|_| Failure::Server)?;
            return Ok(Answer { port, output });
        }
    }
    Err(Failure::NoPort)
}

fn ask(mut stream: TcpStream, command: &str) -> std::io::Result<String> {
    stream.write_all(format!("0\0root\0root\0{command}\0").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.strip_prefix('\0') {
        Some(output) => Ok(output.to_owned()),
        None => Err(std::io::ErrorKind::InvalidData.into()),
    }
}
