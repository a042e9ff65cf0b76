//! Where each state stands and which way each arc goes, on a sheet of 80 columns and 38 rows: set by hand, once, for the
//! text and for the SVG.

use crate::state::State;
use crate::tcp::transition::Event;

/// A column and a row of the sheet.
pub type Spot = (usize, usize);

/// A state's place.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The state.
    pub state: State,
    /// The middle of its box.
    pub middle: Spot,
}

/// An arc's way.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The state it leaves.
    pub from: State,
    /// The event.
    pub event: Event,
    /// From the border of one box to the border of another, along rows and columns.
    pub corners: &'static [Spot],
    /// Where its words stand.
    pub label: Label,
}

/// Where an arc's words stand.
#[derive(Clone, Copy, Debug)]
pub enum Label {
    /// The event above a level stretch and what is sent below it, their middle here.
    Across(Spot),
    /// Right of an upright stretch, beginning here.
    Right(Spot),
    /// Left of an upright stretch, ending here.
    Left(Spot),
    /// The same where there is little room: what is acknowledged stands on a line of its own.
    LeftNarrow(Spot),
}

/// A caption and its place.
#[derive(Clone, Copy, Debug)]
pub struct Caption {
    /// The words.
    pub text: &'static str,
    /// Their middle.
    pub middle: Spot,
    /// The part of the sheet that they are about.
    pub field: [Spot; 2],
}

/// The place of a state.
pub fn node(state: State) -> &'static Node {
    // The order of `State::ALL` is checked by a test.
    &NODES[State::ALL.iter().position(|known| *known == state).unwrap_or(0)]
}

/// The way of an arc.
pub fn route(from: State, event: Event) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.from == from && route.event == event)
}

/// Where each state stands.
pub const NODES: [Node; 11] = [
    Node { state: State::Listen, middle: (40, 10) },
    Node { state: State::SynSent, middle: (65, 16) },
    Node { state: State::SynReceived, middle: (13, 16) },
    Node { state: State::Established, middle: (40, 22) },
    Node { state: State::FinWait1, middle: (13, 28) },
    Node { state: State::FinWait2, middle: (13, 34) },
    Node { state: State::CloseWait, middle: (65, 28) },
    Node { state: State::Closing, middle: (40, 28) },
    Node { state: State::LastAck, middle: (65, 34) },
    Node { state: State::TimeWait, middle: (40, 34) },
    Node { state: State::Closed, middle: (40, 3) },
];

const fn way(from: State, event: Event, corners: &'static [Spot], label: Label) -> Route {
    Route { from, event, corners, label }
}

/// Which way each arc of the RFC's figure goes.
pub const ROUTES: [Route; 20] = {
    use Event as E;
    use Label::{Across, Left, LeftNarrow, Right};
    use State as S;
    [
        way(S::Closed, E::PassiveOpen, &[(38, 4), (38, 9)], Left((36, 5))),
        way(S::Closed, E::ActiveOpen, &[(46, 4), (46, 6), (65, 6), (65, 15)], Across((56, 6))),
        way(S::Listen, E::ActiveOpen, &[(48, 10), (61, 10), (61, 15)], Across((55, 10))),
        way(S::Listen, E::Syn, &[(32, 10), (18, 10), (18, 15)], Across((25, 10))),
        way(S::Listen, E::Close, &[(42, 9), (42, 4)], Right((44, 7))),
        way(S::SynSent, E::Syn, &[(57, 16), (21, 16)], Across((40, 16))),
        way(S::SynSent, E::SynAck, &[(61, 17), (61, 19), (44, 19), (44, 21)], Across((53, 19))),
        way(S::SynSent, E::Close, &[(69, 15), (69, 3), (48, 3)], Across((58, 3))),
        way(
            S::SynReceived,
            E::AckOfSyn,
            &[(18, 17), (18, 19), (36, 19), (36, 21)],
            Across((27, 19)),
        ),
        way(S::SynReceived, E::Close, &[(8, 17), (8, 27)], Right((10, 22))),
        way(
            S::SynReceived,
            E::RstToListener,
            &[(8, 15), (8, 7), (34, 7), (34, 9)],
            Across((20, 7)),
        ),
        way(S::Established, E::Close, &[(32, 22), (18, 22), (18, 27)], Across((25, 22))),
        way(S::Established, E::Fin, &[(48, 22), (65, 22), (65, 27)], Across((56, 22))),
        way(S::FinWait1, E::AckOfFin, &[(13, 29), (13, 33)], Right((15, 30))),
        way(S::FinWait1, E::Fin, &[(21, 28), (32, 28)], Across((26, 28))),
        way(S::FinWait2, E::Fin, &[(21, 34), (32, 34)], Across((26, 34))),
        way(S::CloseWait, E::Close, &[(65, 29), (65, 33)], Left((63, 30))),
        way(S::Closing, E::AckOfFin, &[(40, 29), (40, 33)], Right((42, 30))),
        way(
            S::LastAck,
            E::AckOfFin,
            &[(73, 34), (79, 34), (79, 0), (40, 0), (40, 2)],
            LeftNarrow((76, 30)),
        ),
        way(
            S::TimeWait,
            E::TimeWaitOver,
            &[(40, 35), (40, 38), (1, 38), (1, 3), (32, 3)],
            Across((29, 38)),
        ),
    ]
};

/// The two halves of closing.
pub const CAPTIONS: [Caption; 2] = [
    Caption { text: "closes first", middle: (13, 36), field: [(3, 25), (51, 37)] },
    Caption { text: "closes second", middle: (65, 36), field: [(55, 25), (77, 37)] },
];

/// How far a box reaches to each side of its middle.
pub const HALF_BOX: Spot = (8, 1);

/// How large the sheet is.
pub const SHEET: Spot = (80, 39);
