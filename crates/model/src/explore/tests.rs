//! The explorer on a space whose states can be counted by hand.

use super::*;

/// A walk on a board from its lower left corner, up or to the right, with one hole from which there is no way on.
struct Board {
    size: u8,
    hole: (u8, u8),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Move {
    Up,
    Right,
}

impl Space for Board {
    type State = (u8, u8);
    type Action = Move;

    fn start(&self) -> (u8, u8) {
        (0, 0)
    }

    fn successors(&self, &(x, y): &(u8, u8), each: &mut dyn FnMut(Move, (u8, u8))) {
        if (x, y) == self.hole {
            return;
        }
        if y + 1 < self.size {
            each(Move::Up, (x, y + 1));
        }
        if x + 1 < self.size {
            each(Move::Right, (x + 1, y));
        }
    }
}

#[test]
fn every_state_is_found_once_and_every_action_is_counted() {
    let board = Board { size: 100, hole: (200, 200) };
    let explored = explore(&board, 2);
    assert_eq!(explored.states(), 10_000);
    assert_eq!(explored.transitions, 2 * 99 * 100);
}

#[test]
fn a_story_is_the_shortest_there_is() {
    let board = Board { size: 100, hole: (200, 200) };
    let explored = explore(&board, 2);
    let story = explored.story(|state| *state == (3, 4)).expect("a story");
    assert_eq!(story.len(), 7);
    assert_eq!(story.last().expect("steps").state, (3, 4));
    assert!(explored.story(|state| *state == (100, 0)).is_none());
    assert!(explored.story(|state| *state == (0, 0)).expect("the start").is_empty());
}

#[test]
fn any_number_of_threads_finds_the_same_in_the_same_order() {
    let board = Board { size: 190, hole: (7, 9) };
    let order = |threads| explore(&board, threads).iter().copied().collect::<Vec<_>>();
    let alone = order(1);
    for threads in [2, 3, 7] {
        assert!(alone == order(threads), "{threads} threads");
    }
}

#[test]
fn what_cannot_reach_the_goal_any_more_is_found() {
    let board = Board { size: 10, hole: (9, 3) };
    let explored = explore(&board, 2);
    let dead = explored.dead_ends(&board, |state| *state == (9, 9));
    // From the hole there is no way on, and to the right edge below it there is none but through it.
    let mut states: Vec<_> = dead.states().copied().collect();
    states.sort_unstable();
    assert_eq!(states, [(9, 0), (9, 1), (9, 2), (9, 3)]);
    assert_eq!(dead.story().expect("a story").len(), 9);
}
