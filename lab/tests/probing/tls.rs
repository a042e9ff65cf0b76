//! Servers over TLS: other people's and our own, and those whose handshake never comes to an end.

use super::scene::{
    BIG, Folder, Found, PORT, answer, probe, reads_head, reads_upload, server, started,
};
use lastack_graceful::close::{AtDeadline, CloseOrderly as _, ClosePolicy, abort};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, Run, lastack};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

type Tls = StreamOwned<ServerConnection, TcpStream>;

const URL: &str = "https://127.0.0.1:8080/big";

fn certified() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".into()]).expect("a certificate")
}

/// The paths of a certificate and its key.
fn pem(folder: &Folder) -> (String, String) {
    let CertifiedKey { cert, signing_key } = certified();
    let key = armoured("PRIVATE KEY", &signing_key.serialize_der());
    let certificate = armoured("CERTIFICATE", cert.der());
    (folder.write("certificate.pem", &certificate), folder.write("key.pem", &key))
}

/// As programs read it (RFC 7468 §2).
fn armoured(label: &str, octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (at, group) in octets.chunks(3).enumerate() {
        let number = (0..3).fold(0, |all, at| all << 8 | usize::from(*group.get(at).unwrap_or(&0)));
        for place in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * place) & 63]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
        if at % 16 == 15 {
            text.push('\n');
        }
    }
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", text.trim_end())
}

/// A server of ours that does this with every connection, before its handshake.
fn ours(
    versions: &[&'static SupportedProtocolVersion],
    serve: impl Fn(Tls) + Clone + Send + 'static,
) -> SocketAddr {
    let CertifiedKey { cert, signing_key } = certified();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a key that fits");
    let config = Arc::new(config);
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a server");
        serve(StreamOwned::new(connection, stream));
    })
}

fn https(address: SocketAddr) -> String {
    format!("https://{address}/")
}

fn nginx(folder: &Folder, version: &str, lingering: &str) -> Process {
    let root = folder.path("");
    let (certificate, key) = pem(folder);
    let configuration = format!(
        "daemon off; master_process off; pid {root}/pid; error_log /dev/null;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
         server {{ listen 127.0.0.1:{PORT} ssl; root {root}; lingering_close {lingering};\n\
         ssl_protocols {version}; ssl_certificate {certificate}; ssl_certificate_key {key}; }} }}\n"
    );
    let file = folder.write("nginx.conf", &configuration);
    started(Command::new("nginx").args(["-e", "/dev/null", "-c", &file]))
}

/// What every answer over TLS says.
fn assert_secured(found: &Found) {
    let tls = &found.json["tls"];
    assert_eq!((&tls["verified"], &tls["version"]), (&false.into(), &"TLS 1.3".into()), "{tls}");
    assert!(found.json["unseen"].to_string().contains("certificate was not verified"));
    for connection in found.json["connections"].as_array().expect("connections") {
        assert_eq!(connection["observed"]["tls"]["verified"], false, "{connection:#}");
    }
}

#[test]
fn nginx_over_tls_that_always_lingers_has_no_fault() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _nginx = nginx(&folder, "TLSv1.3", "always");
    let found = probe(URL, &[]);
    assert_secured(&found);
    assert_eq!(found.with("fault"), [""; 0], "{:#}", found.json["findings"]);
    assert_eq!(found.verdict("early_answer"), "good", "{}", found.says("early_answer"));
    assert!(found.says("close_notify").starts_with("it says so where it closes first"));
    assert_eq!(found.json["tls"]["alpn"], "http/1.1");
    found.assert_exit(0);
}

#[test]
fn nginx_over_tls_that_does_not_linger_cuts_an_answer() {
    for (version, lingering) in [("TLSv1.2", "on"), ("TLSv1.3", "on"), ("TLSv1.3", "off")] {
        let _namespace = Namespace::enter();
        let folder = Folder::new();
        let _nginx = nginx(&folder, version, lingering);
        let found = probe(URL, &[]);
        assert_eq!(found.with("fault"), ["unread_input"], "{:#}", found.json["findings"]);
        assert!(found.fixes().contains("lingering_close always;"), "{}", found.fixes());
        let says = found.says("close_notify");
        assert!(says.starts_with("it says so where it closes first"), "{says}");
        found.assert_exit(1);
    }
}

#[test]
fn pythons_server_over_tls_says_no_close_notify() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (certificate, key) = pem(&folder);
    let script = format!(
        "import functools, http.server, ssl\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain('{certificate}', '{key}')\n\
         handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='{}')\n\
         server = http.server.ThreadingHTTPServer(('127.0.0.1', {PORT}), handler)\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n\
         server.serve_forever()\n",
        folder.path("")
    );
    let _python = started(Command::new("python3").args(["-c", &script]));
    let found = probe(URL, &[]);
    assert_secured(&found);
    assert_eq!(
        found.with("fault"),
        ["early_answer", "unread_input"],
        "{:#}",
        found.json["findings"]
    );
    assert_eq!(found.verdict("close_notify"), "noted", "{:#}", found.json["findings"]);
    assert!(found.fixes().contains("unwrap()"), "{}", found.fixes());
    found.assert_exit(1);
}

#[test]
fn node_over_tls_cuts_an_early_answer() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (certificate, key) = pem(&folder);
    let script = format!(
        "const fs = require('fs');\n\
         require('https').createServer({{ cert: fs.readFileSync('{certificate}'),\n\
         key: fs.readFileSync('{key}') }}, (request, response) => {{\n\
         response.setHeader('Content-Length', 1 << 20);\n\
         response.end(Buffer.alloc(1 << 20)); }}).listen({PORT}, '127.0.0.1')"
    );
    let _node = started(Command::new("node").args(["-e", &script]));
    let found = probe(URL, &[]);
    assert_secured(&found);
    assert_eq!(
        found.with("fault"),
        ["early_answer", "unread_input"],
        "{:#}",
        found.json["findings"]
    );
    assert_eq!(found.verdict("close_notify"), "good", "{:#}", found.json["findings"]);
    found.assert_exit(1);
}

#[test]
fn a_server_of_rustls_that_closes_in_order_has_no_fault() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let _namespace = Namespace::enter();
        let address = ours(&[version], |mut stream| {
            if reads_head(&mut stream) {
                let _ = stream.write_all(&answer(BIG));
            }
            let policy = ClosePolicy::server().at_deadline(AtDeadline::Orphan);
            let _report = stream.close_orderly(&policy);
        });
        let found = probe(&https(address), &[]);
        assert_eq!(found.with("fault"), [""; 0], "{:#}", found.json["findings"]);
        assert_eq!(found.verdict("close_notify"), "good", "{:#}", found.json["findings"]);
        assert!(matches!(found.verdict("unread_input"), "good"), "{:#}", found.json["findings"]);
    }
}

#[test]
fn an_answer_that_only_a_bare_fin_ends_is_a_fault() {
    let _namespace = Namespace::enter();
    let address = ours(rustls::ALL_VERSIONS, |mut stream| {
        if reads_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
            let _ = stream.sock.shutdown(Shutdown::Write);
        }
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
    });
    let found = probe(&https(address), &[]);
    assert_eq!(found.verdict("close_notify"), "fault", "{:#}", found.json["findings"]);
    assert!(found.says("unread_input").contains("a FIN without close_notify"), "{:#}", found.json);
    assert!(found.fixes().contains("close_orderly"), "{}", found.fixes());
    found.assert_exit(1);
}

#[test]
fn tickets_are_not_taken_for_an_answer() {
    let _namespace = Namespace::enter();
    let address = ours(rustls::ALL_VERSIONS, |mut stream| {
        // The tickets leave with the first words that are read; the answer comes when the upload is over.
        stream.sock.set_read_timeout(Some(Duration::from_millis(300))).expect("a time limit");
        if reads_upload(&mut stream) > 0 {
            let _ = stream.write_all(&answer(4));
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let _ = stream.sock.shutdown(Shutdown::Write);
        stream.sock.set_read_timeout(None).expect("no time limit");
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
    });
    let found = probe(&https(address), &[]);
    assert_eq!(found.verdict("early_answer"), "undecided", "{:#}", found.json["findings"]);
    assert!(found.says("early_answer").contains("read the whole upload"));
}

#[test]
fn half_a_record_before_a_reset_is_no_answer() {
    let _namespace = Namespace::enter();
    let address = ours(rustls::ALL_VERSIONS, |mut stream| {
        if reads_head(&mut stream) {
            let whole = answer(100);
            let _ = stream.conn.writer().write(&whole);
            let mut records = Vec::new();
            let _ = stream.conn.write_tls(&mut records);
            let _ = stream.sock.write_all(&records[..records.len() - 1]);
            while lastack_os::connection::unacknowledged(&stream.sock).expect("SIOCOUTQ") > 0 {
                std::thread::yield_now();
            }
        }
        abort(stream.sock).expect("a reset");
    });
    let found = probe(&https(address), &[]);
    let close = &found.json["connections"][0]["observed"];
    assert_eq!((&close["received"], &close["extent"]), (&0.into(), &"nothing".into()), "{close:#}");
    found.assert_exit(1);
}

#[test]
fn an_address_is_probed_within_tls_too() {
    let _namespace = Namespace::enter();
    let address = ours(rustls::ALL_VERSIONS, |mut stream| {
        let mut room = [0; 64];
        if let Ok(length @ 1..) = stream.read(&mut room) {
            let _ = stream.write_all(&room[..length]);
            let _ = stream.sock.shutdown(Shutdown::Write);
        }
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
    });
    let found = probe(&address.to_string(), &["--tls", "--send", r"hello\n"]);
    assert_eq!(found.with("fault"), ["close_notify"], "{:#}", found.json["findings"]);
    let words = &found.json["connections"][0]["observed"];
    assert_eq!((&words["sent"], &words["received"]), (&6.into(), &6.into()), "{words:#}");
}

/// The one error of a probe that comes to nothing.
fn fault(url: &str) -> String {
    let Run { stdout, stderr, code } = lastack(&["probe", url, "--patience", "500ms"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{url}: {stderr}");
    let error = stderr.split_once("failed to").map(|(_, error)| error.replace('\n', " "));
    error.unwrap_or_else(|| panic!("no error: {stderr}"))
}

#[test]
fn a_handshake_that_comes_to_nothing_is_one_error_that_says_what_to_do() {
    let _namespace = Namespace::enter();
    let plain = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let hangs = server(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let closes = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    let resets = server(|stream| abort(stream).expect("a reset"));
    let refuses = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let trickles = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        // The header of a long record, and then one octet after another.
        let _ = stream.write_all(&[22, 3, 3, 0x20, 0, 2]);
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for (address, says, remedy) in [
        (plain, "in plain HTTP", format!("write http://{plain}/")),
        (hangs, "not over after 500 ms", "--patience waits longer".into()),
        (closes, "closed during the TLS handshake", format!("lastack probe {closes}")),
        (resets, "reset the connection during", format!("lastack probe {resets}")),
        (refuses, "alert HandshakeFailure", "a certificate".into()),
        (trickles, "not over after 500 ms", "--patience waits longer".into()),
    ] {
        let error = fault(&https(address));
        assert!(error.contains(says) && error.contains(&remedy), "{error}");
        assert!(error.contains(&format!("begin TLS with {address}")), "{error}");
    }
}

#[test]
fn a_handshake_that_hangs_ends_with_the_time_of_all() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&https(address), &["--timeout", "300ms"]);
    assert_eq!(found.json["complete"], false);
    assert!(found.json["tls"]["version"].is_null(), "{:#}", found.json["tls"]);
    found.assert_exit(124);
}

#[test]
fn a_port_of_tls_that_is_asked_in_plain_http_wants_https() {
    let _namespace = Namespace::enter();
    let address = ours(rustls::ALL_VERSIONS, |mut stream| {
        let _ = reads_head(&mut stream);
        let _ = stream.flush();
        let _ = stream.sock.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
    });
    let found = probe(&format!("http://{address}/"), &[]);
    assert!(found.says("unread_input").contains("this port wants https"), "{:#}", found.json);
    assert!(found.json["tls"].is_null());
}

#[test]
fn nothing_of_tls_is_in_a_probe_of_plain_http() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream| {
        if reads_head(&stream) {
            let _ = stream.write_all(&answer(4));
            let _ = stream.shutdown(Shutdown::Write);
        }
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&format!("http://{address}/"), &[]);
    assert!(found.json["tls"].is_null() && !found.json.to_string().contains("close_notify\""));
}
