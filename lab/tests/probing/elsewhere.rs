//! More of other people's servers: Apache httpd, `HAProxy` before other servers, Caddy, which serves by Go's `net/http`,
//! and axum with and without the library.

use super::scene::{
    BIG, Folder, Found, PORT, answer, probe, reads_head, serve_well, server, started,
};
use axum::Router;
use axum::routing::get;
use lastack_graceful::close::ClosePolicy;
use lastack_graceful::close::axum::LingeringListener;
use lastack_graceful::close::hyper::DiscardUnread;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream as Blocking};
use std::process::Command;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// One process that serves a folder; its modules are where Debian has them.
fn apache(folder: &Folder) -> Process {
    let root = folder.path("");
    let configuration = format!(
        "ServerRoot {root}\nServerName localhost\nPidFile {root}/pid\nMutex file:{root}\n\
         ErrorLog /dev/null\nUser nobody\nGroup nogroup\n\
         LoadModule mpm_event_module {APACHE}/mod_mpm_event.so\n\
         LoadModule authz_core_module {APACHE}/mod_authz_core.so\n\
         Listen 127.0.0.1:{PORT}\nDocumentRoot {root}\n"
    );
    let file = folder.write("apache.conf", &configuration);
    started(Command::new("apache2").args(["-X", "-f", &file]))
}

/// A proxy before another server.
fn haproxy(folder: &Folder, behind: SocketAddr) -> Process {
    let configuration = format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
         listen proxy\n bind 127.0.0.1:{PORT}\n server behind {behind}\n"
    );
    let file = folder.write("haproxy.cfg", &configuration);
    started(Command::new("haproxy").args(["-db", "-q", "-f", &file]))
}

/// Caddy, which keeps what it remembers below its home.
fn caddy(folder: &Folder) -> Process {
    let root = folder.path("");
    let mut command = Command::new("caddy");
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(name, &root);
    }
    started(command.args(["file-server", "--listen", "127.0.0.1:8080", "--root", &root]))
}

#[derive(Clone, Copy)]
enum Axum {
    Plain,
    Ours,
}

/// What is found in a server of axum; it ends with its runtime.
fn probe_axum(which: Axum) -> Found {
    let _namespace = Namespace::enter();
    let runtime: Runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let url = format!("http://{}/big", listener.local_addr().expect("an address"));
    let app = Router::new().route("/big", get(async || vec![b'b'; BIG]));
    runtime.spawn(async move {
        match which {
            Axum::Plain => axum::serve(listener, app).await,
            Axum::Ours => {
                let listener = LingeringListener::new(listener, ClosePolicy::server());
                axum::serve(listener, app.layer(DiscardUnread::new())).await
            }
        }
    });
    probe(&url, &[])
}

/// A server behind a proxy that writes and closes.
fn naive() -> SocketAddr {
    server(|mut stream: Blocking| {
        if reads_head(&stream) {
            let _ = stream.write_all(&answer(BIG));
        }
    })
}

#[test]
fn apache_lingers_and_reads_an_upload_before_it_answers() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _apache = apache(&folder);
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(3);
    assert_eq!(found.with("undecided"), ["early_answer"], "{:#}", found.json["findings"]);
    assert!(found.says("early_answer").contains("read the whole upload"));
    assert_eq!(found.verdict("unread_input"), "good");
    assert!(found.says("closes_first").starts_with("the server"));
    assert!(found.json["server"].as_str().is_some_and(|name| name.starts_with("Apache")));
}

#[test]
fn caddy_on_gos_net_http_cuts_an_early_answer() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _caddy = caddy(&folder);
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), EARLY_AND_UNREAD, "{:#}", found.json["findings"]);
}

#[test]
fn haproxy_passes_on_that_the_server_behind_it_cuts_an_early_answer() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _proxy = haproxy(&folder, naive());
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), EARLY_AND_UNREAD, "{:#}", found.json["findings"]);
}

#[test]
fn haproxy_cuts_an_answer_for_two_stray_octets_whatever_is_behind_it() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _proxy = haproxy(&folder, server(serve_well));
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(1);
    assert_eq!(found.verdict("early_answer"), "good", "{:#}", found.json["findings"]);
    assert_eq!(found.with("fault"), ["unread_input"]);
}

#[test]
fn axum_as_it_comes_cuts_an_early_answer_and_is_told_of_the_library() {
    let found = probe_axum(Axum::Plain);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), EARLY_AND_UNREAD, "{:#}", found.json["findings"]);
    assert!(found.fixes().contains("lastack-graceful"), "{}", found.fixes());
}

#[test]
fn axum_with_lingering_streams_that_reads_on_has_no_fault() {
    let found = probe_axum(Axum::Ours);
    found.assert_exit(0);
    assert_eq!(found.verdict("early_answer"), "good", "{:#}", found.json["findings"]);
    assert_eq!(found.verdict("unread_input"), "good");
}

const EARLY_AND_UNREAD: [&str; 2] = ["early_answer", "unread_input"];
/// Where Debian has Apache's modules.
const APACHE: &str = "/usr/lib/apache2/modules";
