//! What the real `sshd` answers to those that `lastack rsh` is compared with.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::run;
use lastack_lab::sshd::Sshd;
use std::process::Command;

#[test]
fn ssh_is_let_in_by_every_name_and_address_and_passes_the_status_on() {
    let here = Namespace::enter();
    let sshd = Sshd::started(&here);
    for host in ["node1", "127.0.1.200", "tester@node77"] {
        let run = run(sshd.command("ssh").args(["-o", "BatchMode=yes", host, "id -un; exit 7"]));
        let user = host.split_once('@').map_or("root", |(user, _)| user);
        assert_eq!(
            (run.stdout, run.code),
            (format!("{user}\n"), Some(7)),
            "{host}: {}",
            run.stderr
        );
    }
    let mut apart = Command::new("ssh");
    apart.arg("-F").arg(sshd.config()).args(["-o", "BatchMode=yes", "127.0.1.9", "echo here"]);
    let run = run(&mut apart);
    assert_eq!(run.stdout, "here\n", "{}", run.stderr);
}

#[test]
fn pdsh_and_clush_reach_it_without_options() {
    let here = Namespace::enter();
    let sshd = Sshd::started(&here);
    let pdsh = run(sshd.command("pdsh").args(["-R", "ssh", "-w", "node[1-3]", "echo here"]));
    assert_eq!(pdsh.stdout.lines().count(), 3, "{pdsh:?}");
    let clush = run(sshd.command("clush").args(["-q", "-w", "node[1-3]", "echo here"]));
    assert_eq!(clush.stdout.lines().count(), 3, "{clush:?}");
}
