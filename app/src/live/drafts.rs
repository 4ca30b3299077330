//! The draft of one conversation, shared by all tabs of a browser.
//!
//! A stored draft is a list of texts. It has one text unless two tabs wrote different texts at the
//! same time. Then both texts stay, so that no tab overwrites another. Pure: `writing` passes the
//! composer's text and the stored value, and acts on the results.

/// Separates two texts of a stored draft. A message cannot contain this control character.
const BETWEEN: char = '\u{1e}';

/// Returns a stored draft as one text, for the composer and the list.
pub fn shown(kept: &str) -> String {
    joined(&texts(kept))
}

fn texts(kept: &str) -> Vec<String> {
    kept.split(BETWEEN).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn joined(texts: &[String]) -> String {
    texts.join("\n\n")
}

/// A draft that the browser refused to store, in its stored form.
pub struct UnsavedDraft {
    /// The stored value at the time of the refusal.
    before: String,
    draft: String,
}

impl UnsavedDraft {
    pub fn new(before: String, draft: String) -> Self {
        Self { before, draft }
    }

    /// Merges the draft into the stored value `now`: the texts in `now`, then the texts that this
    /// tab added.
    pub fn merged(&self, now: &str) -> String {
        if self.before == now {
            return self.draft.clone();
        }
        let (before, mut all) = (texts(&self.before), texts(now));
        for text in texts(&self.draft) {
            if !before.contains(&text) && !all.contains(&text) {
                all.push(text);
            }
        }
        all.join(&BETWEEN.to_string())
    }
}

/// How a composer reacts when another tab changed the stored draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Change nothing.
    Stay,
    /// Show this text.
    Show(String),
    /// Store the composer's text again, because no tab stores it now.
    KeepAgain,
}

/// One composer's view of the stored draft.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The stored texts that the composer's text represents.
    base: Vec<String>,
    /// Whether the user changed the text in this tab. Only such a tab stores a draft.
    touched: bool,
}

impl Draft {
    /// Takes over the stored draft. Returns the text for the composer.
    pub fn adopt(&mut self, kept: &str) -> String {
        *self = Self { base: texts(kept), touched: false };
        joined(&self.base)
    }

    /// Records that the user changed the text.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Returns the stored form of the composer's base texts, as far as this tab has received
    /// changes.
    pub fn kept(&self) -> String {
        self.base.join(&BETWEEN.to_string())
    }

    /// Returns whether `text` needs no storing: it is stored, or this tab did not change it.
    pub fn is_kept(&self, text: &str) -> bool {
        !self.touched || text == joined(&self.base)
    }

    /// Returns whether `text` replaced other stored texts instead of editing them. Another tab may
    /// show these texts, so it must receive the replacement before it receives the empty draft.
    pub fn replaces_another(&self, text: &str) -> bool {
        !self.base.is_empty() && !is_edit(&joined(&self.base), text)
    }

    /// Returns the draft to store now that the composer holds `text`. After an empty text the
    /// composer follows other tabs again.
    pub fn keep(&mut self, kept: &str, text: &str) -> String {
        let text = text.replace(BETWEEN, "\n");
        let mut all = texts(kept);
        let at = all.iter().position(|text| self.base.contains(text)).unwrap_or(all.len());
        all.retain(|text| !self.base.contains(text));
        self.touched = !text.is_empty();
        self.base.clear();
        if !text.is_empty() {
            self.base.push(text.clone());
            if !all.contains(&text) {
                all.insert(at.min(all.len()), text);
            }
        }
        all.join(&BETWEEN.to_string())
    }

    /// Handles a change of the stored draft from `before` to `after` in another tab, while the
    /// composer holds `text`.
    pub fn changed(&mut self, before: &str, after: &str, text: &str) -> Follow {
        let now = texts(after);
        if !self.touched {
            self.base = now;
            let shown = joined(&self.base);
            return if shown == text { Follow::Stay } else { Follow::Show(shown) };
        }
        let is_lost = self.base.iter().any(|text| !now.contains(text));
        // A text that changed since it was stored is stored after the typing pause anyway.
        if !is_lost || text != joined(&self.base) {
            return Follow::Stay;
        }
        // The other tab can only have sent or edited this text if the text was stored before.
        let known = texts(before);
        let was_seen = self.base.iter().all(|text| known.contains(text));
        let shown = joined(&now);
        if was_seen && (now.is_empty() || is_edit(text, &shown)) {
            *self = Self { base: now, touched: false };
            return Follow::Show(shown);
        }
        Follow::KeepAgain
    }
}

/// Returns whether `new` is `old` with one contiguous change that leaves at least two thirds of
/// `old`.
fn is_edit(old: &str, new: &str) -> bool {
    let start = count_equal(&mut old.bytes().zip(new.bytes()));
    let rest = old.len().min(new.len()) - start;
    let end = count_equal(&mut old.bytes().rev().zip(new.bytes().rev())).min(rest);
    (old.len() - start - end) * 3 <= old.len()
}

fn count_equal(pairs: &mut dyn Iterator<Item = (u8, u8)>) -> usize {
    pairs.take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tab's composer on a shared stored value.
    struct Tab {
        draft: Draft,
        text: String,
    }

    impl Tab {
        fn opened(kept: &str) -> Self {
            let mut draft = Draft::default();
            let text = draft.adopt(kept);
            Self { draft, text }
        }

        fn types(&mut self, text: &str) {
            self.draft.touch();
            text.clone_into(&mut self.text);
        }

        /// Stores the text after the typing pause or before unloading.
        fn keeps(&mut self, kept: &mut String) {
            if !self.draft.is_kept(&self.text) {
                *kept = self.draft.keep(kept, &self.text);
            }
        }

        fn sends(&mut self, kept: &mut String) {
            self.text.clear();
            *kept = self.draft.keep(kept, "");
        }

        fn receives(&mut self, before: &str, kept: &mut String) {
            match self.draft.changed(before, kept, &self.text) {
                Follow::Stay => {}
                Follow::Show(text) => self.text = text,
                Follow::KeepAgain => *kept = self.draft.keep(kept, &self.text),
            }
        }
    }

    #[test]
    fn a_tab_without_changes_stores_nothing_and_follows() {
        let mut kept = String::new();
        let (mut first, mut idle) = (Tab::opened(&kept), Tab::opened(&kept));
        first.types("hello");
        first.keeps(&mut kept);
        idle.receives("", &mut kept);
        assert_eq!(idle.text, "hello");
        idle.keeps(&mut kept);
        assert_eq!(kept, "hello");
        first.sends(&mut kept);
        idle.receives("hello", &mut kept);
        idle.keeps(&mut kept);
        assert_eq!((idle.text.as_str(), kept.as_str()), ("", ""));
    }

    #[test]
    fn a_text_sent_from_another_tab_does_not_return_as_a_draft() {
        let mut kept = String::new();
        let mut writer = Tab::opened(&kept);
        writer.types("hello wrld");
        writer.keeps(&mut kept);
        let mut other = Tab::opened(&kept);
        other.types("hello world");
        let before = kept.clone();
        other.keeps(&mut kept);
        writer.receives(&before, &mut kept);
        assert_eq!(writer.text, "hello world", "an edited text is followed");
        other.sends(&mut kept);
        writer.receives("hello world", &mut kept);
        writer.keeps(&mut kept);
        assert_eq!((writer.text.as_str(), kept.as_str()), ("", ""));
    }

    #[test]
    fn two_tabs_that_type_at_the_same_time_lose_no_text() {
        let mut kept = String::new();
        let (mut first, mut second) = (Tab::opened(&kept), Tab::opened(&kept));
        first.types("Mine stays");
        second.types("Mine too");
        first.keeps(&mut kept);
        second.receives("", &mut kept);
        let before = kept.clone();
        second.keeps(&mut kept);
        first.receives(&before, &mut kept);
        assert_eq!((first.text.as_str(), second.text.as_str()), ("Mine stays", "Mine too"));
        assert_eq!(shown(&kept), "Mine stays\n\nMine too");
        let before = kept.clone();
        second.sends(&mut kept);
        first.receives(&before, &mut kept);
        assert_eq!((first.text.as_str(), kept.as_str()), ("Mine stays", "Mine stays"));
    }

    #[test]
    fn a_text_that_another_tab_replaced_is_kept_beside_the_new_text() {
        let mut kept = String::new();
        let mut first = Tab::opened(&kept);
        first.types("Mine stays");
        first.keeps(&mut kept);
        let mut second = Tab::opened(&kept);
        second.types("Something else");
        second.keeps(&mut kept);
        first.receives("Mine stays", &mut kept);
        assert_eq!(first.text, "Mine stays");
        assert_eq!(shown(&kept), "Something else\n\nMine stays");
    }

    #[test]
    fn sending_a_replaced_text_at_once_deletes_no_other_text() {
        let mut kept = "Mine stays".to_owned();
        let mut writer = Tab::opened("");
        writer.types("Mine stays");
        writer.keeps(&mut String::new());
        let mut other = Tab::opened(&kept);
        other.types("Something else");
        assert!(other.draft.replaces_another("Something else"));
        other.keeps(&mut kept);
        let (before, mut now) = ("Mine stays".to_owned(), kept.clone());
        other.sends(&mut kept);
        assert_eq!(kept, "");
        writer.receives(&before, &mut now);
        assert_eq!(
            (writer.text.as_str(), shown(&now).as_str()),
            ("Mine stays", "Something else\n\nMine stays")
        );
        assert!(!Tab::opened("hello").draft.replaces_another("hello world"));
        assert!(!Draft::default().replaces_another("hello"));
    }

    #[test]
    fn concurrent_writes_of_two_tabs_are_repaired() {
        // Both tabs wrote before they received the other's change; the second write won.
        let mut kept = String::new();
        let mut first = Tab::opened(&kept);
        first.types("one");
        first.keeps(&mut kept);
        kept = "two".to_owned();
        first.receives("", &mut kept);
        assert_eq!(shown(&kept), "two\n\none");
        // The other tab sends its own text before it receives the first one.
        kept.clear();
        first.receives("two", &mut kept);
        assert_eq!((first.text.as_str(), kept.as_str()), ("one", "one"));
    }

    #[test]
    fn an_unsaved_draft_replaces_no_text_of_another_tab() {
        let merged = |before: &str, draft: &str, now: &str| {
            UnsavedDraft::new(before.to_owned(), draft.to_owned()).merged(now)
        };
        assert_eq!(merged("", "mine", ""), "mine");
        assert_eq!(merged("", "mine", "theirs"), "theirs\u{1e}mine");
        assert_eq!(merged("old", "old\u{1e}mine", "old, edited"), "old, edited\u{1e}mine");
        assert_eq!(merged("sent", "sent\u{1e}mine", ""), "mine");
        assert_eq!(merged("mine, older", "mine", "mine, older"), "mine");
        assert_eq!(merged("", "mine", "mine"), "mine");
    }

    #[test]
    fn a_composer_with_several_texts_stands_for_all_of_them() {
        let mut kept = "one\u{1e}two".to_owned();
        let mut tab = Tab::opened(&kept);
        assert_eq!(tab.text, "one\n\ntwo");
        tab.types("one\n\ntwo, three");
        tab.keeps(&mut kept);
        assert_eq!(kept, "one\n\ntwo, three");
        tab.sends(&mut kept);
        assert_eq!(kept, "");
    }

    #[test]
    fn an_edit_keeps_most_of_a_text() {
        assert!(is_edit("hello", "hello world"));
        assert!(is_edit("hello big world", "hello world"));
        assert!(is_edit("aaaa", "aaa"));
        assert!(!is_edit("Mine stays", "Mine too"));
        assert!(!is_edit("x", "y"));
    }
}
