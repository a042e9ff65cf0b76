use super::*;
use lastack_model::script::parse;

fn replayed(text: &str) -> Verdict {
    let script = parse(text, Dialect::LINUX.defined).expect("a script");
    replay(&script).expect("needs CAP_SYS_ADMIN and CAP_NET_ADMIN: run the tests as root")
}

const OPENS: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n\
                     +0 listen(3, 1) = 0\n+0 < S 0:0(0) win 65535 <mss 1460>\n+0 > S. 0:0(0) ack 1\n\
                     +0 < . 1:1(0) ack 1 win 65535\n+0 accept(3, ..., ...) = 4\n";

#[test]
fn the_kernel_plays_its_part() {
    let text = format!("{OPENS}+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n");
    assert_eq!(replayed(&text), Verdict::Pass);
}

#[test]
fn what_the_kernel_does_not_do_fails_at_its_line() {
    let said = |rest: &str| replayed(&format!("{OPENS}{rest}")).to_string();
    assert_eq!(
        said("+0 > F. 1:1(0) ack 1\n"),
        "fail: line 8: expected FIN,ACK seq 1 ack 1, got nothing"
    );
    let unexpected = said("+0 close(4) = 0\n+0 < F. 1:1(0) ack 1 win 65535\n");
    assert_eq!(
        unexpected,
        "fail: line 9: expected nothing more to be sent before this segment, got FIN,ACK seq 1 ack 1"
    );
    assert_eq!(
        said("+0 read(4, ..., 10) = 5\n"),
        "fail: line 8: expected read to return 5, got EAGAIN"
    );
}

#[test]
fn what_cannot_be_played_is_skipped_with_the_reason() {
    let said = |text: &str| replayed(text).to_string();
    assert_eq!(
        said("--ip_version=ipv6\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"),
        "skipped: another version of IP than 4 (line 1, column 1)"
    );
    assert!(said("0 `reboot`\n").starts_with("skipped: the shell command 'reboot'"));
}
