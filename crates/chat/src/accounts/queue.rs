//! The queue of password hashes: who may wait, and who is next.
//!
//! A stranger must not be able to keep other people from signing in, so the requesters of one network
//! are bounded, and requesters that are known to their account are first in line. Only
//! [`super::passwords`] calls this module.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::ErrorCode;
use tokio::sync::oneshot;

use super::hashing::{BUSY_RETRY, busy};
use crate::error::{Error, Result, later};
use crate::mutex::lock;
use crate::throttle::{is_loopback, network, wide_network};

/// How long a requester waits before the answer is `busy`.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// Requesters that wait or hash: of one network, of one wider network, of all strangers, and of all
/// known users. 128 hashes take about three seconds on two cores.
const MOST_OF_NETWORK: usize = 4;
const MOST_OF_WIDE_NETWORK: usize = 16;
const MOST_STRANGERS: usize = 128;
const MOST_KNOWN: usize = 64;

/// Who wants a password to be hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Requester {
    /// A user on a known device or in a session.
    Known,
    /// A client without a proof, at this address.
    At(IpAddr),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    Known,
    Strangers,
    Network(IpAddr),
    WideNetwork(IpAddr),
}

/// The requesters that wait or hash.
#[derive(Default)]
pub(super) struct Queue {
    /// Held for a look-up only, never across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requesters by group. Bounded by the bounds of the groups.
    requesters: HashMap<Group, usize>,
    /// Whether a requester holds the [`Turn`].
    is_taken: bool,
    /// The requesters that wait for the turn, the next one first. Bounded by `requesters`, because a
    /// requester that no longer waits removes its entry.
    waiting: BTreeMap<Position, oneshot::Sender<Turn>>,
    arrivals: u64,
}

/// Known requesters sort first, and then earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    is_stranger: bool,
    arrival: u64,
}

impl Queue {
    /// Takes a place, which the requester holds while it waits and hashes.
    ///
    /// # Errors
    /// `rate_limited` if the requester's network has too many places, `busy` if all are taken.
    pub(super) fn place(self: &Arc<Self>, requester: Requester) -> Result<Place> {
        let groups = match requester {
            Requester::Known => vec![(Group::Known, MOST_KNOWN)],
            Requester::At(address) if is_loopback(address) => {
                vec![(Group::Strangers, MOST_STRANGERS)]
            }
            Requester::At(address) => vec![
                (Group::Network(network(address)), MOST_OF_NETWORK),
                (Group::WideNetwork(wide_network(address)), MOST_OF_WIDE_NETWORK),
                (Group::Strangers, MOST_STRANGERS),
            ],
        };
        let mut state = lock(&self.state);
        let is_full = |(group, most): &&(Group, usize)| {
            state.requesters.get(group).is_some_and(|requesters| requesters >= most)
        };
        match groups.iter().find(is_full) {
            Some((Group::Network(_) | Group::WideNetwork(_), _)) => {
                return Err(Error::Refused(later(ErrorCode::RateLimited, BUSY_RETRY)));
            }
            Some(_) => return Err(Error::Refused(busy())),
            None => {}
        }
        let groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
        for group in &groups {
            *state.requesters.entry(*group).or_default() += 1;
        }
        Ok(Place { queue: self.clone(), groups })
    }

    /// Waits for the turn. A requester that is cancelled leaves the line.
    pub(super) async fn turn(self: &Arc<Self>, requester: Requester) -> Result<Turn> {
        let (position, turn) = {
            let mut state = lock(&self.state);
            if !state.is_taken {
                state.is_taken = true;
                return Ok(Turn(self.clone()));
            }
            state.arrivals += 1;
            let is_stranger = matches!(requester, Requester::At(_));
            let position = Position { is_stranger, arrival: state.arrivals };
            let (sender, turn) = oneshot::channel();
            state.waiting.insert(position, sender);
            (position, turn)
        };
        let _entry = Entry { queue: self, position };
        turn.await.map_err(|_| Error::Internal("the queue of password hashes was closed"))
    }
}

/// Removes the entry of a requester that no longer waits.
struct Entry<'a> {
    queue: &'a Queue,
    position: Position,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        lock(&self.queue.state).waiting.remove(&self.position);
    }
}

/// The place of one requester; dropping it frees the place.
pub(super) struct Place {
    queue: Arc<Queue>,
    groups: Vec<Group>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        for group in &self.groups {
            if let Some(requesters) = state.requesters.get_mut(group) {
                *requesters -= 1;
                if *requesters == 0 {
                    state.requesters.remove(group);
                }
            }
        }
    }
}

/// The right of one requester to wait for a core and for memory; dropping it passes the turn on.
pub(super) struct Turn(Arc<Queue>);

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = lock(&self.0.state);
            let next = state.waiting.pop_first();
            state.is_taken = next.is_some();
            next
        };
        if let Some((_, waiting)) = next {
            // A requester that was cancelled just now returns the turn, whose drop passes it on.
            let _ = waiting.send(Turn(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn at(address: &str) -> Requester {
        Requester::At(address.parse().expect("an address"))
    }

    #[test]
    fn the_requesters_of_a_network_are_bounded_and_leave_room_for_others() {
        let queue = Arc::new(Queue::default());
        let code =
            |requester| queue.place(requester).map(drop).map_err(|error| error.refusal().code);
        let flood = |address: &str, count: usize| -> Vec<Place> {
            (0..count).filter_map(|_| queue.place(at(address)).ok()).collect()
        };
        let one = flood("2001:db8:0:1::1", 70);
        assert_eq!(one.len(), MOST_OF_NETWORK);
        assert_eq!(code(at("2001:db8:0:1::2")), Err(ErrorCode::RateLimited));
        let mut all = vec![one];
        all.extend((2..100).map(|net| flood(&format!("2001:db8:0:{net}::1"), 70)));
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), MOST_OF_WIDE_NETWORK);
        for other in ["2001:db8:1::1", "192.0.2.1", "127.0.0.1"] {
            assert_eq!(code(at(other)), Ok(()), "{other}");
        }
        all.extend((0..200).map(|net| flood(&format!("10.0.{net}.1"), 70)));
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), MOST_STRANGERS);
        assert_eq!(code(at("192.0.2.1")), Err(ErrorCode::Busy));
        assert_eq!(code(Requester::Known), Ok(()), "a known user has a place of their own");
        drop(all);
        assert!(lock(&queue.state).requesters.is_empty(), "nothing is left");
        assert_eq!(flood("::1", 70).len(), 70, "clients behind a proxy that is not configured");
    }

    #[tokio::test]
    async fn known_requesters_are_first_and_a_cancelled_one_passes_its_turn_on() {
        let queue = Arc::new(Queue::default());
        let held = queue.turn(at("192.0.2.1")).await.expect("free");
        let order = Mutex::new(Vec::new());
        let wait = async |name: &'static str, requester| {
            let turn = queue.turn(requester).await.expect("a turn");
            lock(&order).push(name);
            drop(turn);
        };
        let mut cancelled = Box::pin(wait("cancelled", Requester::Known));
        assert!((&mut cancelled).now_or_never().is_none());
        let release = async {
            drop(cancelled);
            drop(held);
        };
        tokio::join!(
            biased;
            wait("stranger", at("192.0.2.1")),
            wait("another", at("192.0.2.2")),
            wait("known", Requester::Known),
            release
        );
        assert_eq!(*lock(&order), ["known", "stranger", "another"]);
        let state = lock(&queue.state);
        assert!(!state.is_taken && state.waiting.is_empty());
    }
}
