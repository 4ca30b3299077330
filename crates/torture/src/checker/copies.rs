//! I11: a store and a copy of it do not affect each other. Checked after rounds with a copy, in
//! addition to all other checks of both.

use std::collections::HashSet;

use protocol::ClientId;

use super::{Evidence, Invariant, Violation};
use crate::client_log::Observation;

/// Returns a violation for each message that was sent to only one of the stores and is stored or
/// received at the other.
pub(crate) fn check_apart(original: &Evidence, copy: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    find_crossed(original, copy, "the copy", &mut found);
    find_crossed(copy, original, "the original", &mut found);
    found
}

/// Finds messages that were sent to one store and are stored or received at the other.
fn find_crossed(from: &Evidence, to: &Evidence, name: &str, found: &mut Vec<Violation>) {
    let mut acknowledged = HashSet::new();
    let mut attempted: HashSet<ClientId> = HashSet::new();
    for event in &from.events {
        match &event.observation {
            Observation::Attempted { id, .. } => drop(attempted.insert(*id)),
            Observation::Acknowledged { id, .. } => drop(acknowledged.insert(*id)),
            _ => {}
        }
    }
    for row in to.stored.rows.iter().filter(|row| attempted.contains(&row.id)) {
        let was = if acknowledged.contains(&row.id) { "acknowledged" } else { "sent" };
        let text = format!("{} is stored in {name} and was {was} at the other store", row.id);
        found.push(Violation::new(Invariant::I11, text));
    }
    for event in &to.events {
        let Observation::Received { seen, .. } = &event.observation else { continue };
        if attempted.contains(&seen.id) {
            let text = format!(
                "{:?} at {name} received {}, which was sent to the other store",
                event.tab, seen.id
            );
            found.push(Violation::new(Invariant::I11, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, UserId};

    use super::*;
    use crate::client_log::{ClientLog, SeenMessage, Tab};
    use crate::store::Row;

    /// One message sent to one store.
    fn one_attempt(id: ClientId, conversation: ConversationId) -> Evidence {
        let log = ClientLog::new();
        let observation =
            Observation::Attempted { id, conversation, body: "hello".into(), ordinal: 1 };
        log.write(Tab(1), UserId::new(), observation);
        Evidence { events: log.events(), ..Evidence::default() }
    }

    #[test]
    fn a_message_stored_or_received_at_the_other_store_is_found() {
        let (id, conversation, sender) = (ClientId::new(), ConversationId::new(), UserId::new());
        let body = || "hello".to_owned();
        let (one, mut other) =
            (one_attempt(id, conversation), one_attempt(ClientId::new(), conversation));
        assert!(check_apart(&one, &other).is_empty());
        other.stored.rows.push(Row { conversation, seq: 1, sender, id, body: body() });
        assert_eq!(check_apart(&one, &other).len(), 1, "stored in the copy");
        assert_eq!(check_apart(&other, &one).len(), 1, "stored in the original");
        let log = ClientLog::new();
        let seen = SeenMessage { seq: 1, sender, id, body: body() };
        log.write(Tab(2), sender, Observation::Received { conversation, seen });
        let receives = Evidence { events: log.events(), ..Evidence::default() };
        assert_eq!(check_apart(&one, &receives).len(), 1, "received at the copy");
        let found = check_apart(&receives, &one);
        assert!(found.iter().all(|one| one.invariant == Invariant::I11) && found.len() == 1);
    }
}
