//! A server of TLS that ends: the streams lie below rustls, which sends its `close_notify` before they linger.

use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan, Tracked};
use lastack_lab::namespace::Namespace;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;

const CLIENTS: usize = 50;
const ANSWER: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn both() -> (TlsAcceptor, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a key that fits");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client))
}

/// How much of an answer came; an end without `close_notify` is an error (RFC 8446 §6.1).
fn ask(stream: TcpStream, config: Arc<ClientConfig>) -> io::Result<usize> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, stream);
    // More than the server reads.
    stream.write_all(&[0; 1000])?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard)
}

async fn answer(acceptor: TlsAcceptor, stream: Tracked) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    stream.read_exact(&mut [0]).await?;
    stream.write_all(&vec![0; ANSWER]).await?;
    stream.shutdown().await
}

fn connected(to: SocketAddr) -> Vec<TcpStream> {
    (0..CLIENTS).map(|_| TcpStream::connect(to).expect("connected")).collect()
}

#[test]
fn clients_of_tls_that_wait_in_the_queue_get_their_whole_answer() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (acceptor, config) = both();
        let shutdown = Shutdown::new(ShutdownPlan::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let mut listener = Orderly::new(listener, &shutdown).expect("an address");
        let clients = connected(listener.local_addr()).into_iter().map(|stream| {
            let config = config.clone();
            tokio::task::spawn_blocking(move || ask(stream, config))
        });
        let clients: Vec<_> = clients.collect();
        shutdown.begin();
        while let Some((stream, _)) = listener.accept().await.expect("a listener") {
            tokio::spawn(answer(acceptor.clone(), stream));
        }
        for client in clients {
            assert_eq!(client.await.expect("no panic").expect("a whole answer"), ANSWER);
        }
        let report = shutdown.report().await;
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!((report.finished, report.cut), (CLIENTS as u64, 0), "{report:?}");
    });
}
