//! I11: a store and a copy of it do not affect each other. Checked after rounds with a copy, in
//! addition to all other checks of both.

use std::collections::HashSet;

use protocol::ClientId;

use super::{Evidence, Invariant, Violation};
use crate::log::What;

/// Returns a violation for each message that was sent to only one of the stores and is stored or
/// received at the other.
pub fn check_apart(original: &Evidence, copy: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    crossed(original, copy, "the copy", &mut found);
    crossed(copy, original, "the original", &mut found);
    found
}

fn crossed(from: &Evidence, to: &Evidence, name: &str, found: &mut Vec<Violation>) {
    let mut acknowledged = HashSet::new();
    let mut asked: HashSet<ClientId> = HashSet::new();
    for event in &from.events {
        match &event.what {
            What::Asked { id, .. } => drop(asked.insert(*id)),
            What::Told { id, .. } => drop(acknowledged.insert(*id)),
            _ => {}
        }
    }
    for row in to.stored.rows.iter().filter(|row| asked.contains(&row.id)) {
        let was = if acknowledged.contains(&row.id) { "acknowledged" } else { "asked" };
        let text = format!("{} is stored in {name} and was {was} elsewhere", row.id);
        found.push(Violation::new(Invariant::I11, text));
    }
    for event in &to.events {
        let What::Heard { seen, .. } = &event.what else { continue };
        if asked.contains(&seen.id) {
            let text = format!("{:?} at {name} heard {} of elsewhere", event.tab, seen.id);
            found.push(Violation::new(Invariant::I11, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, UserId};

    use super::*;
    use crate::log::{Log, Seen, Tab};
    use crate::store::Row;

    /// One message sent to one site.
    fn asked(id: ClientId, conversation: ConversationId) -> Evidence {
        let log = Log::new();
        let what = What::Asked { id, conversation, body: "hello".into(), ordinal: 1 };
        log.write(Tab(1), UserId::new(), what);
        Evidence { events: log.events(), ..Evidence::default() }
    }

    #[test]
    fn what_is_stored_or_heard_where_it_was_not_asked_is_found() {
        let (id, conversation, sender) = (ClientId::new(), ConversationId::new(), UserId::new());
        let body = || "hello".to_owned();
        let (one, mut other) = (asked(id, conversation), asked(ClientId::new(), conversation));
        assert!(check_apart(&one, &other).is_empty());
        other.stored.rows.push(Row { conversation, seq: 1, sender, id, body: body() });
        assert_eq!(check_apart(&one, &other).len(), 1, "stored in the copy");
        assert_eq!(check_apart(&other, &one).len(), 1, "stored in the original");
        let log = Log::new();
        let seen = Seen { seq: 1, sender, id, body: body() };
        log.write(Tab(2), sender, What::Heard { conversation, seen });
        let hears = Evidence { events: log.events(), ..Evidence::default() };
        assert_eq!(check_apart(&one, &hears).len(), 1, "heard at the copy");
        let found = check_apart(&hears, &one);
        assert!(found.iter().all(|one| one.invariant == Invariant::I11) && found.len() == 1);
    }
}
