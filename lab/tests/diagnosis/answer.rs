//! An answer of `lastack why` in both forms, and the checks that hold for every one of them.

use lastack_lab::paper::assert_clean;
use lastack_lab::program::{User, lastack_as, undisturbed};
use lastack_lab::sockets;
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::Transport;
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};

/// One question, answered as text and as JSON.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) code: i32,
}

/// Asks as root, and checks the answer.
pub(crate) fn why(arguments: &[&str]) -> Answer {
    ask(User::Root, arguments)
}

/// Asks, and checks that both forms agree, that the text is clean, and that the kernel agrees.
pub(crate) fn ask(user: User, arguments: &[&str]) -> Answer {
    let verb = [&["why"], arguments].concat();
    let text = lastack_as(user, &verb);
    let json = lastack_as(user, &[&verb[..], &["--json"]].concat());
    assert_eq!((text.stderr.as_str(), json.stderr.as_str()), ("", ""), "{arguments:?}");
    assert_eq!(text.code, json.code, "{arguments:?}: {}", text.stdout);
    let answer =
        Answer { code: text.code.expect("an exit code"), text: text.stdout, json: json.json() };
    assert_eq!(answer.json["exit"], answer.code, "the exit code is in the JSON");
    assert_clean(&answer.text);
    if user == User::Root {
        answer.assert_kernel_agrees();
    }
    answer
}

impl Answer {
    /// The verdict and the exit code.
    pub(crate) fn verdict(&self) -> (&str, i32) {
        (self.json["verdict"].as_str().expect("a verdict"), self.code)
    }

    /// The conflicts.
    pub(crate) fn conflicts(&self) -> &[Value] {
        self.json["conflicts"].as_array().expect("conflicts")
    }

    /// The one conflict.
    pub(crate) fn conflict(&self) -> &Value {
        match self.conflicts() {
            [one] => one,
            several => panic!("{} conflicts, not one: {}", several.len(), self.text),
        }
    }

    /// The role and state of the one conflict.
    pub(crate) fn role_and_state(&self) -> (&str, State) {
        let conflict = self.conflict();
        let state = conflict["sockets"]["example"]["state"].clone();
        let state: State = serde_json::from_value(state).expect("a state");
        assert!(self.text.contains(&format!(" {state}")), "{state} is in the text too");
        (conflict["role"].as_str().expect("a role"), state)
    }

    /// Checks that these processes are blamed, and no other anywhere, not even in a command.
    pub(crate) fn assert_blames(&self, guilty: &[u32]) {
        let guilty: BTreeSet<u64> = guilty.iter().map(|pid| u64::from(*pid)).collect();
        let named = self.conflicts().iter().flat_map(|c| c["holders"].as_array().expect("holders"));
        let named: BTreeSet<u64> =
            named.map(|holder| holder["process"]["pid"].as_u64().expect("a pid")).collect();
        assert_eq!(named, guilty, "{}", self.text);
        let blamed = self.text.split("\nIn other network namespaces").next().expect("text");
        for pid in numbers_after(blamed, ", pid ") {
            assert!(guilty.contains(&pid), "pid {pid} is innocent: {}", self.text);
        }
        for line in self.text.lines().filter(|line| line.trim_start().starts_with("kill ")) {
            let pids = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            pids.for_each(|pid| assert!(guilty.contains(&pid), "{line:?} kills an innocent"));
        }
        for pid in &guilty {
            assert!(self.text.contains(&format!("pid {pid}")), "pid {pid}: {}", self.text);
        }
    }

    /// Checks that the time left is shown, and gives its bounds in milliseconds.
    pub(crate) fn time_left(&self) -> (u64, u64) {
        let lifetime = &self.conflict()["lifetime"];
        let span = lifetime
            .get("ends")
            .or_else(|| lifetime.get("while_held_peer_silent"))
            .unwrap_or_else(|| panic!("no time is shown, but {lifetime}"));
        let ms = |name: &str| span[name].as_u64().expect("milliseconds");
        assert!(self.text.contains("at most"), "no time in the text: {}", self.text);
        (ms("least_ms"), ms("most_ms"))
    }

    /// Checks that nothing but its program ends the one conflict.
    pub(crate) fn assert_lasts_while_held(&self) {
        assert_eq!(self.conflict()["lifetime"], "while_held");
        assert!(self.text.contains("its program closes it"), "{}", self.text);
        assert!(!self.text.contains("at most"), "{}", self.text);
    }

    /// Whether something is listed as not helping.
    pub(crate) fn is_futile(&self, name: &str) -> bool {
        self.json["futile"].as_array().expect("a list").iter().any(|futile| futile == name)
    }

    /// The certainty of the remedy that only sets `SO_REUSEADDR`, if it is proposed.
    pub(crate) fn reuse_address(&self) -> Option<&Value> {
        let alone = serde_json::json!([
            {"set_options": {"reuse_address": true, "reuse_port": false, "v6only": false}}
        ]);
        self.remedies().find(|remedy| remedy["steps"] == alone).map(|remedy| &remedy["certainty"])
    }

    /// The remedies, least harm first.
    pub(crate) fn remedies(&self) -> impl Iterator<Item = &Value> {
        self.json["remedies"].as_array().expect("a list").iter()
    }

    /// Checks that every wanted bind does what was said.
    fn assert_kernel_agrees(&self) {
        for judgement in self.json["judgements"].as_array().expect("judgements") {
            let request: Request =
                serde_json::from_value(judgement["request"].clone()).expect("a request");
            let said = &judgement["outcome"];
            let said: Option<Errno> = match said.get("fails") {
                Some(fails) => serde_json::from_value(fails["errno"].clone()).expect("an errno"),
                None if said == "succeeds" => None,
                None => continue,
            };
            assert_eq!(really(&request), said, "{request:?}: {}", self.text);
        }
    }
}

/// The kernel's own answer to a bind.
pub(crate) fn really(request: &Request) -> Option<Errno> {
    undisturbed(|| {
        let socket = sockets::prepare(request);
        sockets::bind(&socket, sockets::address(request)).err()
    })
}

/// A bind of root's without options.
pub(crate) fn request(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The same with `SO_REUSEADDR`.
pub(crate) fn reusing(address: impl Into<IpAddr>, port: u16) -> Request {
    let options = Options { reuse_address: true, ..Options::default() };
    Request { options, ..request(address, port) }
}

/// A port that no other test uses, so that none is seen in the namespace of another. Below the ephemeral range.
pub(crate) fn fresh_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(4000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// This process, which holds the sockets of most tests.
pub(crate) fn me() -> u32 {
    std::process::id()
}

fn numbers_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = u64> + 'a {
    text.split(mark).skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

/// The loopback address that most tests use.
pub(crate) const LOCAL: [u8; 4] = [127, 0, 0, 1];
/// Every IPv4 address.
pub(crate) const ANY: [u8; 4] = [0, 0, 0, 0];
