//! The path of an offer: what a dead process left is replaced, and nothing else is ever touched.

use crate::heir::{Folder, Heir};
use crate::offers::PATIENCE;
use lastack_graceful::handover::{Listeners, Offer, Result, Terms};
use lastack_lab::handover::SERVER;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::NOBODY;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

fn offer(path: &Path) -> Result<Offer> {
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let mut listeners = Listeners::new();
    listeners.add("http", &listener).expect("added");
    listeners.offer(path, &Terms::default())
}

fn refusal(path: &Path) -> String {
    offer(path).expect_err("no place for an offer").to_string()
}

#[test]
fn what_a_killed_process_left_is_replaced() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let path = folder.path();
    drop(Heir::start(&["generation", path.to_str().expect("UTF-8")]).serving());
    assert!(path.exists(), "it was killed and could not remove it");
    let offer = offer(&path).expect("an offer");
    drop(offer);
    assert!(!path.exists(), "an offer that is withdrawn leaves nothing");
}

#[test]
fn nothing_but_a_stale_socket_of_this_user_is_ever_removed() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let path = folder.path();
    fs::write(&path, "precious").expect("a file");
    assert!(refusal(&path).contains("no socket"));
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    fs::remove_file(&path).expect("removed");

    let precious = folder.0.join("precious");
    drop(UnixListener::bind(&precious).expect("a socket"));
    symlink(&precious, &path).expect("a link");
    assert!(refusal(&path).contains("no socket"));
    assert!(precious.exists() && path.is_symlink());
    fs::remove_file(&path).expect("removed");

    fs::rename(&precious, &path).expect("renamed");
    chown(&path, Some(NOBODY), None).expect("another's");
    assert!(refusal(&path).contains("another user"));
    assert!(path.exists());
}

#[test]
fn an_offer_that_stands_is_not_replaced() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let mut first = offer(&folder.path()).expect("an offer");
    let second = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut listeners = Listeners::new();
        listeners.add("http", &listener).expect("added");
        listeners.offer(folder.path(), &Terms::default()).expect_err("taken").to_string()
    };
    assert!(second.contains("another process listens there"), "{second}");
    // The look at it counts as somebody who came and left.
    drop(first.wait(PATIENCE).expect_err("nobody who stays"));
    let mut heir = Heir::start(&["receive", folder.path().to_str().expect("UTF-8")]);
    first.wait(PATIENCE).expect("taken");
    assert!(heir.end().success());
}

#[test]
fn somebody_elses_file_in_its_place_is_left_when_the_offer_ends() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let path = folder.path();
    let offer = offer(&path).expect("an offer");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "precious").expect("a file");
    drop(offer);
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
}

#[test]
fn a_directory_in_which_others_may_replace_files_is_refused() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).expect("its mode");
    let said = refusal(&folder.path());
    assert!(said.contains("others may replace") && said.contains("/run"), "{said}");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o1777)).expect("its mode");
    drop(offer(&folder.path()).expect("a sticky one is like /tmp"));
    chown(&folder.0, Some(NOBODY), None).expect("another's");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).expect("its mode");
    assert!(refusal(&folder.path()).contains("others may replace"));
}

#[test]
fn a_path_that_does_not_fit_and_one_that_is_not_there_are_told() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let long = folder.0.join("x".repeat(120));
    assert!(refusal(&long).contains("107"));
    let nowhere = folder.0.join("not-there/offer");
    assert!(refusal(&nowhere).contains("not-there"));
    let error = Listeners::receive(folder.path(), &Terms::default()).expect_err("nobody offers");
    assert_eq!(error.cause().kind(), std::io::ErrorKind::NotFound);
    drop(UnixListener::bind(folder.path()).expect("a stale socket"));
    drop(Listeners::receive(folder.path(), &Terms::default()).expect_err("nobody offers"));
}
