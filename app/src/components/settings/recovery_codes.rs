//! The list of recovery codes, for the settings page and for the answer to a plain form. The server
//! cannot show the codes again.

use leptos::prelude::*;

use crate::language::TwoStepTexts;
use crate::paths;

/// The codes.
pub fn recovery_code_list(codes: &[String]) -> impl IntoView + use<> {
    let codes = codes.iter().map(|code| view! { <li><code>{code.clone()}</code></li> });
    view! { <ol class="recovery-codes" dir="ltr">{codes.collect_view()}</ol> }
}

/// The link that saves the codes as a text file. The address contains the text, so that the link
/// works without scripts.
pub fn recovery_file_link(
    t: &'static TwoStepTexts,
    owner: &str,
    codes: &[String],
) -> impl IntoView + use<> {
    let file = format!("data:text/plain;charset=utf-8,{}", paths::encode(&text(t, owner, codes)));
    view! {
        <a class="button-quiet is-edged inline-flex" href=file download="duet-recovery-codes.txt" rel="external">
            {t.save_file}
        </a>
    }
}

/// The codes as text, with a first line that names their owner.
pub fn text(t: &TwoStepTexts, owner: &str, codes: &[String]) -> String {
    format!("{}\n\n{}\n", t.codes_of.replace("{}", owner), codes.join("\n"))
}

/// The key of a set-up as its user reads it: in groups of four.
pub fn grouped(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    let groups = characters.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn the_file_names_the_owner_and_has_a_code_on_each_line() {
        let codes = ["k7fq-2mzt-9c4x", "0000-1111-2222"].map(str::to_owned);
        let text = text(Language::English.two_step(), "anna, https://chat.example.org", &codes);
        assert_eq!(
            text,
            "Recovery codes of anna, https://chat.example.org\n\nk7fq-2mzt-9c4x\n0000-1111-2222\n"
        );
    }

    #[test]
    fn a_key_is_grouped() {
        assert_eq!(grouped("ABCDEFGHIJ"), "ABCD EFGH IJ");
    }
}
