//! The handle that wakes the connection task. Browser only.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::mpsc;

/// Wakes the connection task, so that it tries at once. The channel holds one pending wake-up, and
/// a full channel needs no second one. All clones share one sender, because each clone of an
/// `mpsc::Sender` adds a slot.
#[derive(Clone)]
pub struct Wake(Rc<RefCell<mpsc::Sender<()>>>);

impl Wake {
    /// Creates the handle and the receiving end of its channel.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        // A capacity of zero leaves the one slot that the sender itself adds.
        let (wake, woken) = mpsc::channel(0);
        (Self(Rc::new(RefCell::new(wake))), woken)
    }

    pub fn wake(&self) {
        _ = self.0.borrow_mut().try_send(());
    }
}
