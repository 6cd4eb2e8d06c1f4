//! The way in for what operators ask of a running bridge, from another thread.

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use crate::backfill::order::{Accepted, Order};
use crate::finding::Finding;

/// What becomes of a request.
pub type Answer = Result<Accepted, Box<Finding>>;

/// Where requests are handed in.
#[derive(Clone, Debug)]
pub struct Desk(Sender<Handed>);

/// Where the bridge takes them from.
#[derive(Debug)]
pub struct Requests(Receiver<Handed>);

/// A request that was taken up, and waits for its answer.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub order: Order,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// A request on its way.
#[derive(Debug)]
struct Handed {
    request: Request,
    taken: oneshot::Sender<()>,
}

/// What whoever asked waits for: that it is taken up, then what became of it.
#[derive(Debug)]
pub struct Slip {
    /// Said when the bridge takes the request up. Closed before that, nothing is done, and nothing will be.
    pub taken: oneshot::Receiver<()>,
    /// Said once what the request changed is stored, or at once where it is refused. Closed: nobody knows whether it was.
    pub answer: oneshot::Receiver<Answer>,
}

/// Both ends.
pub fn channel() -> (Desk, Requests) {
    let (give, take) = unbounded();
    (Desk(give), Requests(take))
}

impl Desk {
    /// Hands a request in.
    pub fn hand_in(&self, order: Order) -> Slip {
        let (answer, answered) = oneshot::channel();
        let (taken, is_taken) = oneshot::channel();
        let request = Request { order, answer };
        // Without a bridge the request is dropped, and with it the way of the answer: that is the answer.
        let _no_bridge = self.0.send(Handed { request, taken });
        Slip {
            taken: is_taken,
            answer: answered,
        }
    }
}

impl Requests {
    /// The next request for which somebody waits; whoever handed it in knows from here on that it is taken up.
    pub fn next(&self) -> Option<Request> {
        self.0.try_iter().find_map(|handed| {
            let is_waited_for = handed.taken.send(()).is_ok();
            is_waited_for.then_some(handed.request)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backfill::order::Action;

    fn order(entity: &str) -> Order {
        Order {
            action: Action::Pause,
            entities: vec![entity.to_owned()],
            only: None,
            on_gone: None,
        }
    }

    #[test]
    fn a_request_that_nobody_waits_for_is_passed_over() {
        let (desk, requests) = channel();
        let mut given_up = desk.hand_in(order("Gone"));
        let mut waits = desk.hand_in(order("Here"));
        given_up.taken.close();
        let taken = requests.next().map(|request| request.order.entities);
        assert_eq!(taken, Some(vec!["Here".to_owned()]));
        assert!(requests.next().is_none());
        assert_eq!(waits.taken.try_recv(), Ok(()));
        assert!(given_up.taken.try_recv().is_err());
    }

    #[test]
    fn without_a_bridge_nothing_is_taken_up() {
        let (desk, requests) = channel();
        drop(requests);
        let mut slip = desk.hand_in(order("Order"));
        assert_eq!(slip.taken.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
