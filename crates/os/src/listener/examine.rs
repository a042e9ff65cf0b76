//! Whether a descriptor of unknown origin is a listener for TCP connections.

use rustix::fd::AsFd;
use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, SocketType, getsockname, ipproto, sockopt};
use std::io;
use std::net::SocketAddr;

/// What a descriptor turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Examined {
    /// It listens for TCP (or MPTCP) connections at this address.
    Listener(SocketAddr),
    /// It is something else, in words that follow "it is".
    Other(&'static str),
}

/// Looks at the file, its family, type and protocol, and whether it listens (`SO_DOMAIN`, `SO_TYPE`, `SO_PROTOCOL`,
/// `SO_ACCEPTCONN`). Nothing is changed.
///
/// ```
/// use lastack_os::listener::{Examined, examine};
/// use std::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// assert_eq!(examine(&listener)?, Examined::Listener(listener.local_addr()?));
/// assert_eq!(examine(&std::io::stdin())?, Examined::Other("no socket"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Where the kernel does not answer, such as `EBADF` of a number that is not open.
pub fn examine(descriptor: &impl AsFd) -> io::Result<Examined> {
    let mode = fstat(descriptor)?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::Socket {
        return Ok(Examined::Other("no socket"));
    }
    let domain = sockopt::socket_domain(descriptor)?;
    if ![AddressFamily::INET, AddressFamily::INET6].contains(&domain) {
        return Ok(Examined::Other("a socket of another family than IPv4 and IPv6"));
    }
    let protocol = sockopt::socket_protocol(descriptor)?.map(|protocol| protocol.as_raw().get());
    let is_tcp =
        [ipproto::TCP, ipproto::MPTCP].map(|it| Some(it.as_raw().get())).contains(&protocol);
    if sockopt::socket_type(descriptor)? != SocketType::STREAM || !is_tcp {
        return Ok(Examined::Other("a socket of another protocol than TCP"));
    }
    if !sockopt::socket_acceptconn(descriptor)? {
        return Ok(Examined::Other("a TCP socket that does not listen"));
    }
    let address = SocketAddr::try_from(getsockname(descriptor)?)?;
    Ok(Examined::Listener(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_what_listens_for_tcp_connections_is_a_listener() {
        let listener = TcpListener::bind("[::1]:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        assert_eq!(examine(&listener).expect("examined"), Examined::Listener(address));
        let others: [(Examined, &str); 3] = [
            (
                examine(&TcpStream::connect(address).expect("connected")).expect("examined"),
                "listen",
            ),
            (examine(&UdpSocket::bind("127.0.0.1:0").expect("bound")).expect("examined"), "TCP"),
            (examine(&std::fs::File::open("/").expect("open")).expect("examined"), "no socket"),
        ];
        for (examined, word) in others {
            let Examined::Other(what) = examined else { panic!("{examined:?}") };
            assert!(what.contains(word), "{what}");
        }
    }

    #[test]
    fn a_unix_listener_is_of_another_family() {
        let path = std::env::temp_dir().join(format!("lastack-examine-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a listener");
        std::fs::remove_file(&path).expect("removed");
        let Examined::Other(what) = examine(&listener).expect("examined") else { panic!("TCP") };
        assert!(what.contains("family"), "{what}");
    }
}
