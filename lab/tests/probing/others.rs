//! Other people's servers, with what is known of them: which cut an early answer, and which linger.

use super::scene::{Folder, PORT, probe, started};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use std::process::Command;

fn nginx(folder: &Folder, lingering: &str) -> Process {
    let root = folder.path("");
    let configuration = format!(
        "daemon off; master_process off; pid {root}/pid; error_log /dev/null;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
         server {{ listen 127.0.0.1:{PORT}; root {root}; lingering_close {lingering}; }} }}\n"
    );
    let file = folder.write("nginx.conf", &configuration);
    started(Command::new("nginx").args(["-e", "/dev/null", "-c", &file]))
}

#[test]
fn nginx_that_always_lingers_has_no_fault() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _nginx = nginx(&folder, "always");
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(0);
    assert_eq!(found.verdict("early_answer"), "good", "{}", found.says("early_answer"));
    assert_eq!(found.verdict("half_close"), "good");
    assert_eq!(found.verdict("lets_go"), "good");
    assert!(found.says("closes_first").starts_with("the server"));
    assert!(found.says("idle").contains("kept for more than"), "{}", found.says("idle"));
}

#[test]
fn nginx_that_does_not_linger_cuts_an_answer_and_is_told_its_own_setting() {
    cuts_an_answer_and_is_told_its_own_setting("off");
}

#[test]
fn nginx_as_it_comes_does_not_linger_for_input_that_it_does_not_know_of() {
    cuts_an_answer_and_is_told_its_own_setting("on");
}

fn cuts_an_answer_and_is_told_its_own_setting(lingering: &str) {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let _nginx = nginx(&folder, lingering);
    // It reads an upload to its end all the same, so only what comes after that shows it.
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), ["unread_input"]);
    assert!(found.fixes().contains("lingering_close always;"), "{}", found.fixes());
}

#[test]
fn pythons_server_cuts_an_early_answer() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", "8080", "--directory"]);
    let _python = started(command.arg(folder.path("")));
    let found = probe("http://127.0.0.1:8080/big", &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), ["early_answer", "unread_input"]);
    assert!(found.says("early_answer").contains("of 1048576 octets arrived, then a reset"));
    assert!(found.fixes().contains("rfile.read"), "{}", found.fixes());
}

#[test]
fn node_cuts_an_early_answer_after_which_it_closes() {
    let _namespace = Namespace::enter();
    let script = "require('http').createServer((request, response) => {\n\
                  response.setHeader('Content-Length', 1 << 20);\n\
                  response.end(Buffer.alloc(1 << 20)); }).listen(8080, '127.0.0.1')";
    let _node = started(Command::new("node").args(["-e", script]));
    let found = probe("http://127.0.0.1:8080/", &[]);
    found.assert_exit(1);
    assert_eq!(
        found.with("fault"),
        ["early_answer", "unread_input"],
        "{:#}",
        found.json["findings"]
    );
    assert!(found.fixes().contains("req.resume()"), "{}", found.fixes());
}
