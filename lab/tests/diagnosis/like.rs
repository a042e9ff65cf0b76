//! The table behind `--like`, held against the real programs: their listeners' family and options.

use crate::answer::fresh_port;
use lastack::like::{Like, Wildcard};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, undisturbed};
use lastack_lab::states::on_port;
use lastack_model::facts::{Family, Socket, SocketOptions};
use lastack_model::state::State;
use lastack_model::truth::Truth;
use lastack_os::{holders, options};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The listener on the port and its options, once the program has started; slow ones take seconds.
fn listener_of(what: &str, port: u16) -> (Socket, SocketOptions) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let socket = loop {
        let listening = |socket: &Socket| socket.state == State::Listen;
        if let Some(socket) = on_port(port).into_iter().find(listening) {
            break socket;
        }
        assert!(Instant::now() < deadline, "{what} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    };
    let inode = socket.inode.expect("a listener has an inode");
    let search = undisturbed(|| holders::find(&[inode])).expect("the holders");
    let holder = search.holders.first().unwrap_or_else(|| panic!("nobody holds {what}'s socket"));
    (socket, options::read(holder).unwrap_or_else(|error| panic!("failed to {error}")))
}

fn assert_alike(like: Like, what: &str, port: u16) {
    let (socket, options) = listener_of(what, port);
    assert!(socket.local.ip().is_unspecified(), "{what} listens on {}", socket.local);
    let wildcard = match socket.family {
        Family::V4 => Wildcard::V4,
        Family::V6 => Wildcard::DualStack,
    };
    assert_eq!(like.wildcard(), wildcard, "{what} listens on {}", socket.local);
    assert_eq!(options.v6only, Truth::No, "{what} serves IPv4");
    assert_eq!(options.reuse_address, Truth::Yes, "{what} sets SO_REUSEADDR");
    assert_eq!(options.reuse_port, Truth::No, "{what} does not set SO_REUSEPORT");
}

fn start(command: &mut Command) -> Process {
    Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()))
}

#[test]
fn python_binds_as_the_table_says() {
    Namespace::enter();
    let port = fresh_port();
    let _server = start(Command::new("python3").args(["-m", "http.server", &port.to_string()]));
    assert_alike(Like::Python, "python3", port);
}

#[test]
fn node_binds_as_the_table_says() {
    Namespace::enter();
    let port = fresh_port();
    let script = format!("require('net').createServer().listen({port})");
    let _server = start(Command::new("node").args(["-e", &script]));
    assert_alike(Like::Node, "node", port);
}

#[test]
fn java_binds_as_the_table_says() {
    Namespace::enter();
    let port = fresh_port();
    let source = format!(
        "class Server {{ public static void main(String[] a) throws Exception {{ \
         new java.net.ServerSocket({port}).accept(); }} }}"
    );
    let file = std::env::temp_dir().join(format!("lastack-{}-Server.java", std::process::id()));
    std::fs::write(&file, source).expect("a source file");
    let server = start(Command::new("java").arg(&file));
    assert_alike(Like::Java, "java", port);
    drop(server);
    std::fs::remove_file(&file).expect("the source file can be removed");
}

#[test]
fn nginx_binds_as_the_table_says() {
    Namespace::enter();
    let port = fresh_port();
    let directory = std::env::temp_dir().join(format!("lastack-{}-nginx", std::process::id()));
    std::fs::create_dir(&directory).expect("a directory");
    let here = directory.display();
    let settings = format!(
        "daemon off; master_process off; pid {here}/pid; error_log {here}/error;\n\
         events {{}} http {{ access_log off; client_body_temp_path {here}/body;\n\
         proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;\n\
         uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
         server {{ listen {port}; }} }}"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, settings).expect("the settings");
    let server = start(Command::new("nginx").arg("-p").arg(&directory).arg("-c").arg(&file));
    assert_alike(Like::Nginx, "nginx", port);
    drop(server);
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
}

#[test]
fn rust_binds_as_the_table_says() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = TcpListener::bind(("0.0.0.0", port)).expect("a listener");
    assert_alike(Like::Rust, "Rust's TcpListener", port);
}
