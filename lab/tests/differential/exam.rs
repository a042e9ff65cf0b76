//! One question put to the model and to the kernel: what was known, what was asked, what the kernel did.
//!
//! An exam is kept as it was, so that it can be judged again by other rules without a kernel.

use crate::stage::Knowledge;
use lastack_lab::sockets::Answer;
use lastack_model::bind::{
    Connect, ConnectRuling, Request, Rules, Ruling, bind, bind_any_port, connect_from,
    connect_without_port, listen,
};
use lastack_model::errno::Errno;
use lastack_model::facts::{Host, Socket, Sockets, Transport};
use lastack_model::ids::{Cookie, Port};
use lastack_model::truth::Truth;
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// `bind()` to the port.
    Bind(Request),
    /// `bind()` to port 0, when no other port can be chosen.
    BindAnyPort(Request),
    /// `listen()` on a socket that is bound already.
    Listen(Request, Cookie),
    /// `connect()` from the port.
    ConnectFrom(Connect, Truth),
    /// `connect()` without a port, when no other port can be chosen.
    ConnectWithoutPort(Connect, Truth),
}

/// A question with its facts and the kernel's answer.
#[derive(Clone, Debug)]
pub(crate) struct Exam {
    pub(crate) question: Question,
    pub(crate) port: Port,
    pub(crate) host: Arc<Host>,
    /// The sockets as each degree of knowledge shows them.
    pub(crate) by_dump: Vec<Socket>,
    pub(crate) by_descriptors: Vec<Socket>,
    pub(crate) by_everything: Vec<Socket>,
    /// Whether the port may remember a `SO_REUSEPORT` bind of the asker.
    pub(crate) remembers: bool,
    pub(crate) kernel: Answer,
}

/// What is wrong with a judgement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It was certain, and the kernel did otherwise.
    Wrong { with: Knowledge, said: Answer },
    /// Everything was known, and it was not certain.
    Undecided,
    /// Alike sockets folded together gave another answer than one by one.
    Folding,
}

impl Exam {
    pub(crate) fn sockets(&self, knowledge: Knowledge) -> &[Socket] {
        match knowledge {
            Knowledge::Dump => &self.by_dump,
            Knowledge::Descriptors => &self.by_descriptors,
            Knowledge::Everything => &self.by_everything,
        }
    }

    /// What the model says, or `None` when it says that the facts do not decide it.
    pub(crate) fn verdict(&self, knowledge: Knowledge, rules: Rules) -> Option<Answer> {
        self.judge(self.sockets(knowledge), rules)
    }

    /// Every way in which these rules misjudge the question.
    pub(crate) fn faults(&self, rules: Rules) -> Vec<Fault> {
        let mut faults = Vec::new();
        for with in [Knowledge::Dump, Knowledge::Descriptors] {
            let verdict = self.verdict(with, rules);
            if let Some(said) = verdict.filter(|said| *said != self.kernel) {
                faults.push(Fault::Wrong { with, said });
            }
        }
        faults.extend(self.fault_with_everything_known(rules));
        let folded: Vec<Socket> = {
            let mut groups = Sockets::default();
            self.by_descriptors.iter().cloned().for_each(|socket| groups.add(socket));
            groups.groups().iter().map(|group| group.example.clone()).collect()
        };
        let foldable = matches!(self.question, Question::Bind(_) | Question::BindAnyPort(_));
        let one_by_one = self.verdict(Knowledge::Descriptors, rules);
        if foldable && self.judge(&folded, rules) != one_by_one {
            faults.push(Fault::Folding);
        }
        faults
    }

    /// With all options known and no memory on the port, nothing is hidden: the model must be certain and right.
    fn fault_with_everything_known(&self, rules: Rules) -> Option<Fault> {
        let with = Knowledge::Everything;
        if !self.is_fully_known() {
            return None;
        }
        // The shortcut cannot admit anything that this port does not remember.
        let shortcut = rules.reuse_port_shortcut && self.remembers;
        match self.verdict(with, Rules { reuse_port_shortcut: shortcut, ..rules }) {
            None if self.remembers => None,
            None => Some(Fault::Undecided),
            Some(said) => (said != self.kernel).then_some(Fault::Wrong { with, said }),
        }
    }

    fn is_fully_known(&self) -> bool {
        let binds = matches!(
            self.question,
            Question::Bind(_) | Question::BindAnyPort(_) | Question::Listen(..)
        );
        let known = |socket: &Socket| {
            !socket.owns_port()
                || (socket.options.reuse_address.is_known()
                    && socket.options.reuse_port.is_known()
                    && socket.known_v6only().is_known())
        };
        let tcp = self.by_dump.iter().all(|socket| socket.transport == Transport::Tcp);
        binds && tcp && self.by_everything.iter().all(known)
    }

    fn judge(&self, sockets: &[Socket], rules: Rules) -> Option<Answer> {
        let sockets: Vec<&Socket> = sockets.iter().collect();
        match &self.question {
            Question::Bind(request) => ruled(&bind(request, &sockets, &self.host, rules)),
            Question::BindAnyPort(request) => {
                ruled(&bind_any_port(request, &sockets, &self.host, rules).0)
            }
            Question::Listen(request, own) => ruled(&listen(request, *own, &sockets, rules)),
            Question::ConnectFrom(connect, timestamps) => {
                match connect_from(connect, self.port, &sockets, *timestamps) {
                    ConnectRuling::Free | ConnectRuling::Recycles(_) => Some(Ok(())),
                    ConnectRuling::Taken(_) => Some(Err(Errno::AddressNotAvailable)),
                    ConnectRuling::DependsOnTimestamps(_) => None,
                }
            }
            Question::ConnectWithoutPort(connect, timestamps) => {
                let host = &self.host;
                match connect_without_port(connect, self.port, &sockets, host, *timestamps).usable()
                {
                    Truth::Yes => Some(Ok(())),
                    Truth::No => Some(Err(Errno::AddressNotAvailable)),
                    Truth::Unknown => None,
                }
            }
        }
    }
}

fn ruled(ruling: &Ruling) -> Option<Answer> {
    ruling.is_certain().then(|| ruling.errno().map_or(Ok(()), Err))
}
