//! Answers and events after a batch is decided: answers to the requesting connections and calls,
//! events to the users concerned. Called by [`super::batch`] only.

use protocol::{CloseCode, ErrorCode, Marks, Message, Refusal, Sent, Seq, ServerFrame, Timestamp};

use super::Reply;
use crate::error::Error;
use crate::hub::Outbound;
use crate::relay::Fanout;
use crate::store::{MarkOutcome, NewMarks, NewMessage, SendOutcome};

pub(super) fn sent(message: &NewMessage, seq: Seq, sent_at: Timestamp) -> Sent {
    Sent { conversation: message.conversation, client_id: message.client_id, seq, sent_at }
}

pub(super) fn answer_send(
    message: NewMessage,
    reply: Reply<Sent>,
    outcome: SendOutcome,
    fanout: &mut Fanout<'_>,
) {
    match outcome {
        // A repeat is published again, because the node that stored the message may have died
        // before publishing it.
        SendOutcome::Stored { seq, sent_at, peer, reach }
        | SendOutcome::Repeated { seq, sent_at, peer, reach } => {
            let from = reply.outbound().map(Outbound::id);
            reply.accept(sent(&message, seq, sent_at), ServerFrame::Sent, fanout);
            let event = ServerFrame::Message(Message {
                conversation: message.conversation,
                seq,
                client_id: message.client_id,
                sender: message.sender,
                body: message.body,
                sent_at,
            });
            // The sender's frames are the same whether or not the message is withheld.
            let both = [message.sender, peer];
            let to = if reach.withheld { &both[..1] } else { &both[..] };
            let conversation = message.conversation;
            fanout.publish(to, &event, from);
            if reach.acquaints {
                fanout.publish(to, &ServerFrame::Changed { conversation }, None);
            }
        }
        SendOutcome::Reused => {
            refuse_send(&message, reply, ErrorCode::ClientIdReused.into(), fanout);
        }
        SendOutcome::PeerDeleted => {
            refuse_send(&message, reply, ErrorCode::PeerDeleted.into(), fanout);
        }
        SendOutcome::PeerBlocked => {
            refuse_send(&message, reply, ErrorCode::PeerBlocked.into(), fanout);
        }
        SendOutcome::NotFound => {
            refuse_send(&message, reply, ErrorCode::NotFound.into(), fanout);
        }
        SendOutcome::SessionEnded => {
            let outbound = reply.outbound().cloned();
            refuse_send(&message, reply, ErrorCode::Unauthenticated.into(), fanout);
            fanout.close(outbound, CloseCode::SessionEnded);
        }
    }
}

pub(super) fn answer_mark(
    new: &NewMarks,
    reply: Reply<()>,
    outcome: MarkOutcome,
    fanout: &mut Fanout<'_>,
) {
    match outcome {
        MarkOutcome::Moved { marks, peer, shown } => {
            let from = reply.outbound().map(Outbound::id);
            reply.accept_silently();
            let receipt = |marks: Marks| ServerFrame::Receipt {
                conversation: new.conversation,
                user: new.user,
                delivered: marks.delivered,
                read: marks.read,
            };
            if shown == Some(marks) {
                fanout.publish(&[peer, new.user], &receipt(marks), from);
                return;
            }
            fanout.publish(&[new.user], &receipt(marks), from);
            if let Some(shown) = shown {
                fanout.publish(&[peer], &receipt(shown), from);
            }
        }
        MarkOutcome::Unchanged => reply.accept_silently(),
        MarkOutcome::OutOfRange => refuse_mark(new, reply, ErrorCode::OutOfRange.into(), fanout),
        MarkOutcome::NotFound => {
            refuse_mark(new, reply, ErrorCode::NotFound.into(), fanout);
        }
        MarkOutcome::SessionEnded => {
            let outbound = reply.outbound().cloned();
            refuse_mark(new, reply, ErrorCode::Unauthenticated.into(), fanout);
            fanout.close(outbound, CloseCode::SessionEnded);
        }
    }
}

pub(super) fn refuse_send(
    message: &NewMessage,
    reply: Reply<Sent>,
    refusal: Refusal,
    fanout: &mut Fanout<'_>,
) {
    let frame = |refusal| ServerFrame::Refused {
        re: Some("send".to_owned()),
        conversation: Some(message.conversation),
        client_id: Some(message.client_id),
        refusal,
    };
    reply.refuse(refusal, frame, fanout);
}

pub(super) fn refuse_mark(
    marks: &NewMarks,
    reply: Reply<()>,
    refusal: Refusal,
    fanout: &mut Fanout<'_>,
) {
    let re = if marks.marks.read > Seq::ZERO { "read" } else { "delivered" };
    let frame = |refusal| ServerFrame::Refused {
        re: Some(re.to_owned()),
        conversation: Some(marks.conversation),
        client_id: None,
        refusal,
    };
    reply.refuse(refusal, frame, fanout);
}

impl<T> Reply<T> {
    fn outbound(&self) -> Option<&Outbound> {
        match self {
            Self::Connection(outbound) => Some(outbound),
            Self::Call(_) => None,
        }
    }

    pub(super) fn accept(
        self,
        value: T,
        frame: impl FnOnce(T) -> ServerFrame,
        fanout: &mut Fanout<'_>,
    ) {
        match self {
            Self::Connection(outbound) => fanout.answer(outbound, &frame(value)),
            // The caller may be gone. The write stands, and a repeat gets the same answer.
            Self::Call(call) => drop(call.send(Ok(value))),
        }
    }

    fn refuse(
        self,
        refusal: Refusal,
        frame: impl FnOnce(Refusal) -> ServerFrame,
        fanout: &mut Fanout<'_>,
    ) {
        match self {
            Self::Connection(outbound) => fanout.answer(outbound, &frame(refusal)),
            Self::Call(call) => drop(call.send(Err(Error::Refused(refusal)))),
        }
    }
}

impl Reply<()> {
    fn accept_silently(self) {
        if let Self::Call(call) = self {
            // The caller may be gone.
            let _ = call.send(Ok(()));
        }
    }
}
