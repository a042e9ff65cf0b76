//! A terminal of a chosen width for the program, to see how its answers adapt.

use crate::program::{path, run};
use std::process::Command;

/// What `lastack` shows on a terminal of so many columns. The arguments are separated by spaces.
///
/// # Panics
///
/// When it ends with an error, or there is no `python3` to keep the terminal.
pub fn on_terminal(columns: u16, arguments: &str) -> String {
    let program = path();
    let program = program.to_str().expect("a path in UTF-8");
    let script = format!(
        "import fcntl, os, pty, struct, sys, termios\n\
         pid, fd = pty.fork()\n\
         if pid == 0:\n    \
             fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, {columns}, 0, 0))\n    \
             os.execv({program:?}, ['lastack'] + '{arguments}'.split())\n\
         out = b''\n\
         while True:\n    \
             try: part = os.read(fd, 65536)\n    \
             except OSError: break\n    \
             if not part: break\n    \
             out += part\n\
         ended = os.waitpid(pid, 0)[1]\n\
         sys.stdout.buffer.write(out)\n\
         sys.exit(os.waitstatus_to_exitcode(ended))\n"
    );
    let run = run(Command::new("python3").env("TERM", "xterm").args(["-c", &script]));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments}: {}", run.stdout);
    run.stdout.replace('\r', "")
}
