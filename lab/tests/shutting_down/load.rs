//! Clients that come without a pause until they are refused, and tell an answer from a loss.

use lastack_os::connection;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// What a client says, and what it must hear to the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) question: &'static [u8],
    /// The answer's end.
    pub(crate) answer: &'static [u8],
    /// Whether the server answers as long as it is asked: the client then says that it is done.
    pub(crate) half_close: bool,
}

/// Many clients at once.
#[derive(Debug)]
pub(crate) struct Load {
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Talk {
    /// Says the question on a new connection.
    pub(crate) fn ask(self, to: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(to)?;
        stream.write_all(self.question)?;
        if self.half_close {
            stream.shutdown(std::net::Shutdown::Write)?;
        }
        Ok(stream)
    }

    /// Hears the answer, or says what came instead.
    pub(crate) fn hear(self, stream: &mut TcpStream) -> Result<(), String> {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut heard = Vec::new();
        match stream.read_to_end(&mut heard) {
            Ok(_) if heard.ends_with(self.answer) => Ok(()),
            Ok(_) => Err(format!("cut: {:?}", String::from_utf8_lossy(&heard))),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Load {
    /// Starts clients in threads of this namespace. Each goes on until it is refused.
    pub(crate) fn start(talk: Talk, to: SocketAddr, clients: usize) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let client = || {
            let answered = answered.clone();
            spawn(move || ask_until_refused(talk, to, &answered))
        };
        Self { clients: (0..clients).map(|_| client()).collect(), answered: answered.clone() }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Waits until all were refused; everything that went wrong before.
    pub(crate) fn losses(self) -> Vec<String> {
        let clients = self.clients.into_iter();
        clients.flat_map(|client| client.join().expect("a client that ends")).collect()
    }
}

fn ask_until_refused(talk: Talk, to: SocketAddr, answered: &AtomicU64) -> Vec<String> {
    let mut losses = Vec::new();
    while losses.len() < MOST_LOSSES {
        match talk.ask(to) {
            Ok(mut stream) => match talk.hear(&mut stream) {
                Ok(()) => {
                    answered.fetch_add(1, Relaxed);
                    // So that no `TIME_WAIT` uses up the ports; the server's FIN was heard.
                    connection::reset_on_close(&stream).expect("SO_LINGER");
                }
                Err(loss) => losses.push(loss),
            },
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
            Err(error) => losses.push(error.to_string()),
        }
    }
    losses
}

const PATIENCE: Duration = Duration::from_secs(20);
const MOST_LOSSES: usize = 100;
