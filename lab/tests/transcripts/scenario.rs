//! Scenarios: what is on the host before the first command of a transcript, and a sandbox to play them in.
//!
//! The sandbox has namespaces of its own for the network, processes and control groups, so that no transcript shows or
//! touches anything of the machine it is played on. It ends, with all in it, when its shell ends.

use lastack_lab::program;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// A scenario: its name, and the shell commands that set it up.
struct Scenario {
    name: &'static str,
    setup: &'static str,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "free-port", setup: "" },
    Scenario {
        name: "python-server-8080",
        setup: "python3 -m http.server --bind 0.0.0.0 8080 >/dev/null 2>&1 &\n\
                await 'state listening sport = :8080'",
    },
    Scenario {
        name: "server-leaves-8080",
        setup: "timeout 2 python3 -m http.server --bind 0.0.0.0 8080 >/dev/null 2>&1 &\n\
                await 'state listening sport = :8080'",
    },
    Scenario {
        name: "dual-stack-8080",
        setup: "python3 -m http.server --bind :: 8080 >/dev/null 2>&1 &\n\
                await 'state listening sport = :8080'",
    },
    Scenario { name: "time-wait-without-reuseaddr", setup: "serve_once 8080 0" },
    Scenario { name: "time-wait-with-reuseaddr", setup: "serve_once 8080 1" },
    Scenario { name: "bound-not-listening-8080", setup: "hold server.py 's = bound(8080)'" },
    Scenario {
        name: "inherited-opener-gone-8080",
        setup: "run server.py 'l = bound(8080); l.listen(); os.set_inheritable(l.fileno(), True)\n\
                subprocess.Popen([\"sleep\", \"1000\"], close_fds=False)'",
    },
    Scenario {
        name: "peer-has-not-closed-8080",
        setup: "hold client.py 'l = bound(8080, reuse=True); l.listen(); c = connect(51324, 8080)\n\
                a, _ = l.accept(); a.close(); l.close()'\nawait 'state fin-wait-2 sport = :8080'",
    },
    Scenario {
        name: "never-closed-8080",
        setup: "hold server.py 'l = bound(8080); l.listen(); c = connect(51324, 8080)\n\
                a, _ = l.accept(); c.close()'\nawait 'state close-wait sport = :8080'",
    },
    Scenario {
        name: "never-closed-no-listener-8080",
        setup: "hold server.py 'l = bound(8080); l.listen(); c = connect(51324, 8080)\n\
                a, _ = l.accept(); c.close(); l.close()'\nawait 'state close-wait sport = :8080'",
    },
    Scenario {
        name: "echo-8080",
        setup: "printf 'from stage import *\nl = bound(8080); l.listen()\nwhile True:\n    \
                a, _ = l.accept()\n    while o := a.recv(99): a.sendall(o)\n    a.close()\n' >echo.py\n\
                python3 echo.py &\nawait 'state listening sport = :8080'",
    },
    Scenario {
        name: "nginx-tls-8443",
        setup: "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 \
                -subj /CN=localhost -keyout key -out certificate 2>/mnt/openssl
                head -c 1048576 /dev/zero >big
                printf 'daemon off; master_process off; pid /mnt/pid; error_log /dev/null;
                events {} http { access_log off; client_body_temp_path /mnt/b;
                proxy_temp_path /mnt/p; fastcgi_temp_path /mnt/f; uwsgi_temp_path /mnt/u;
                scgi_temp_path /mnt/s; server { listen 8443 ssl; root /srv;
                ssl_protocols TLSv1.3; ssl_certificate /srv/certificate;
                ssl_certificate_key /srv/key; lingering_close always; } }' >nginx.conf
                nginx -e /dev/null -c /srv/nginx.conf &
                await 'state listening sport = :8443'",
    },
    Scenario { name: "client-time-wait-1010-to-300", setup: "client_once 1010 300" },
    Scenario {
        name: "client-time-wait-1010-to-300-without-timestamps",
        setup: "echo 0 >/proc/sys/net/ipv4/tcp_timestamps\nclient_once 1010 300",
    },
    Scenario {
        name: "connect-budget-nearly-spent",
        setup: "echo 50000 50999 >/proc/sys/net/ipv4/ip_local_port_range\n\
                run client.py 'l = bound(5432); l.listen()\n\
                for source in range(50000, 50950):\n    \
                c = connect(source, 5432); a, _ = l.accept(); c.close(); a.recv(1); a.close()'\n\
                await 'state time-wait sport = :50949'",
    },
];

/// The scenarios there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name)
}

/// Plays the commands in a scenario and returns the transcript: each command, and what it printed.
pub(crate) fn play(name: &str, commands: &[&str]) -> Result<String, String> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| {
        let known: Vec<&str> = names().collect();
        format!("no scenario is called {name:?} (there are: {})", known.join(", "))
    })?;
    run(&script(scenario, commands))
}

/// The shell keeps `$?` for the next command: nothing may run between the two. Nothing is asked before every FIN is
/// acknowledged, so that each state in a transcript is one that lasts.
fn script(scenario: &Scenario, commands: &[&str]) -> String {
    let mut script = format!("{PREAMBLE}\n{}\n", scenario.setup);
    script.push_str("settled\necho READY\nstatus=0\n");
    for command in commands {
        let quoted = command.replace('\'', r"'\''");
        let _ =
            writeln!(script, "printf '%s\\n' '$ {quoted}'\n( exit $status )\n{command}\nstatus=$?");
    }
    script + "exit 0\n"
}

fn run(script: &str) -> Result<String, String> {
    let program = program::path();
    let built_in = program.parent().ok_or("lastack is in no directory")?;
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", built_in.display());
    let sandbox = Command::new("timeout")
        .args(["60", "unshare", "--net", "--pid", "--fork", "--mount-proc", "--cgroup"])
        .args(["--kill-child", "sh", "-c", script])
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to run timeout: {error} (install coreutils)"))?;
    let printed = String::from_utf8_lossy(&sandbox.stdout);
    let complaints = String::from_utf8_lossy(&sandbox.stderr);
    match printed.strip_prefix("READY\n") {
        Some(transcript) if sandbox.status.success() => Ok(transcript.to_owned()),
        _ => Err(format!("the sandbox ended with {}\n{printed}{complaints}", sandbox.status)),
    }
}

/// Process numbers start where they look like any others. A condition that never comes is ended by the time limit.
const PREAMBLE: &str = r#"
exec 2>&1
ip link set lo up
mount -t tmpfs tmpfs /srv
mount -t tmpfs tmpfs /mnt
mkfifo /mnt/ready
cd /srv
cat >/mnt/stage.py <<'END'
import os, socket, subprocess, time
def fresh(reuse=False):
    s = socket.socket()
    if reuse: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s
def bound(port, reuse=False):
    s = fresh(reuse); s.bind(("0.0.0.0", port)); return s
def connect(source, port, reuse=False):
    s = fresh(reuse); s.bind(("127.0.0.1", source)); s.connect(("127.0.0.1", port)); return s
END
export PYTHONPATH=/mnt PYTHONDONTWRITEBYTECODE=1
await() { until ss -Htan $1 | grep -q .; do :; done; }
settled() { while ss -Htan state fin-wait-1 state closing state last-ack | grep -q .; do :; done; }
run() { printf 'from stage import *\n%s\n' "$2" >"$1"; setsid python3 "$1"; }
hold() {
    printf 'from stage import *\n%s\n' "$2" >"$1"
    printf 'open("/mnt/ready", "w").close()\ntime.sleep(1000)\n' >>"$1"
    python3 "$1" &
    cat /mnt/ready
}
serve_once() {
    run server.py "l = bound($1, reuse=$2); l.listen(); c = connect(51324, $1); a, _ = l.accept()
a.close(); c.recv(1); c.close()"
    await "state time-wait sport = :$1"
}
client_once() {
    run client.py "l = bound($2); l.listen(); c = connect($1, $2, reuse=True); a, _ = l.accept()
c.close(); a.recv(1); a.close()"
    await "state time-wait sport = :$1"
}
until ip -6 address show dev lo | grep -q ::1; do :; done
echo 4710 >/proc/sys/kernel/ns_last_pid
"#;
