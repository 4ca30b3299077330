//! Two-step sign-in: setting it up, its recovery codes, and turning it off.

use leptos::ev::SubmitEvent;
use leptos::html::{Input, P};
use leptos::prelude::*;
use protocol::{ErrorCode, SecondFactorSetUp, SecondFactorState};

use super::confirmation::{ConfirmForm, Confirmed, proof};
use super::recovery_codes::{grouped, recovery_code_list, recovery_file_link, text};
use super::{Outcome, SaveButton, SettingsSection, ask};
use crate::browser::{address_of, copy};
use crate::components::{CodeField, FieldKind, ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::passkeys::PasskeyError;
use crate::paths;
use crate::server_fns::{
    begin_second_factor, confirm_second_factor, renew_recovery_codes, turn_off_second_factor,
};
use crate::state::use_state;

/// Recovery codes of a user who has used none.
const ALL_CODES: u32 = 10;

/// What the section shows.
#[derive(Clone)]
enum Step {
    Off,
    SettingUp(SecondFactorSetUp),
    /// New recovery codes, until the user has saved them.
    Codes(Vec<String>),
    /// Two-step sign-in is on, with this number of unused recovery codes.
    On(u32),
}

/// The section.
#[component]
pub fn TwoStep(state: SecondFactorState) -> impl IntoView {
    let t = use_texts().language.two_step();
    let step = RwSignal::new(if state.on { Step::On(state.recovery_codes) } else { Step::Off });
    // Whether the user has moved from one step to another on this page.
    let moved = StoredValue::new(false);
    let go = Callback::new(move |next| {
        moved.set_value(true);
        step.set(next);
    });
    let lead = move |text| view! { <Lead text=text takes_focus=moved.get_value() /> };
    view! {
        <SettingsSection id="two-step" title=t.title help=t.help>
            {move || match step.get() {
                Step::Off => view! {
                    {lead(t.off)}
                    <Begin go=go />
                }.into_any(),
                Step::SettingUp(set_up) => view! {
                    {lead(t.connect)}
                    <SetUp set_up=set_up go=go />
                }.into_any(),
                Step::Codes(codes) => view! {
                    {lead(t.save_codes)}
                    <NewCodes codes=codes go=go />
                }.into_any(),
                Step::On(left) => view! {
                    {lead(t.on)}
                    <TurnedOn left=left go=go />
                }.into_any(),
            }}
        </SettingsSection>
    }
}

/// The first line of a step. Takes the focus after a step, because the control that led here is
/// gone.
#[component]
pub(super) fn Lead(text: &'static str, takes_focus: bool) -> impl IntoView {
    let line = NodeRef::<P>::new();
    Effect::new(move |_| {
        if let Some(line) = line.get().filter(|_| takes_focus) {
            _ = line.focus();
        }
    });
    view! { <p node_ref=line class="font-medium" tabindex="-1">{text}</p> }
}

/// The button that begins the set-up.
#[component]
fn Begin(go: Callback<Step>) -> impl IntoView {
    let t = use_texts();
    let two_step = t.language.two_step();
    let outcome = RwSignal::new(Outcome::Untouched);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, begin_second_factor(), move |set_up| go.run(Step::SettingUp(set_up)));
    };
    view! {
        <form class="flex flex-col gap-4" method="post" action=paths::BEGIN_TWO_STEP on:submit=on_submit>
            <ForWhom />
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            <SaveButton outcome=outcome label=two_step.set_up busy=two_step.preparing done="" />
        </form>
    }
}

/// The key for the app, and the field for its first code.
#[component]
fn SetUp(set_up: SecondFactorSetUp, go: Callback<Step>) -> impl IntoView {
    let t = use_texts();
    let two_step = t.language.two_step();
    let (outcome, copied) = (RwSignal::new(Outcome::Untouched), RwSignal::new(false));
    let code = NodeRef::<Input>::new();
    let shown = grouped(&set_up.secret);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = code.get_untracked() else { return };
        ask(outcome, confirm_second_factor(field.value()), move |codes| go.run(Step::Codes(codes)));
    };
    let is_about_code = move || {
        outcome.get().error().is_some_and(|error| error.code() == Some(ErrorCode::WrongCode))
    };
    // The field is emptied for the next code.
    Effect::new(move |_| {
        if let Some(field) = code.get().filter(|_| is_about_code()) {
            field.set_value("");
            _ = field.focus();
        }
    });
    let message = move || outcome.get().error().map(|error| error_message(t, error));
    view! {
        <p>{two_step.scan}</p>
        <div class="two-step-qr" inner_html=set_up.qr></div>
        <a class="button-quiet is-edged touch-only self-start" href=set_up.link rel="external">{two_step.open_app}</a>
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
            <p class="min-w-0 flex-1 basis-60">
                {two_step.or_type}" "<code class="two-step-key" dir="ltr">{shown}</code>
            </p>
            <button class="button-quiet is-edged" type="button" on:click=move |_| copy(&set_up.secret, copied)>
                {move || if copied.get() { t.copied } else { two_step.copy_key }}
            </button>
            <span class="sr-only" role="status">{move || if copied.get() { t.copied } else { "" }}</span>
        </div>
        <form class="flex flex-col gap-4" method="post" action=paths::CONFIRM_TWO_STEP on:submit=on_submit>
            <ForWhom />
            <FormAlert text=Signal::derive(move || message().filter(|_| !is_about_code())) />
            <CodeField
                kind=FieldKind::AppCode
                node_ref=code
                error=Signal::derive(move || message().filter(|_| is_about_code()))
            />
            <SaveButton outcome=outcome label=two_step.turn_on busy=two_step.checking done="" />
        </form>
    }
}

/// The recovery codes, until the user has saved them.
#[component]
fn NewCodes(codes: Vec<String>, go: Callback<Step>) -> impl IntoView {
    let t = use_texts();
    let two_step = t.language.two_step();
    let copied = RwSignal::new(false);
    let username = use_state().me().map(|me| me.username).unwrap_or_default();
    let owner = format!("{username}, {}", address_of(""));
    let all = text(two_step, &owner, &codes);
    view! {
        <p>{two_step.save_codes_help}</p>
        <p class="print-only">{two_step.codes_of.replace("{}", &owner)}</p>
        {recovery_code_list(&codes)}
        <div class="no-print flex flex-wrap gap-3">
            <button class="button-quiet is-edged" type="button" on:click=move |_| copy(&all, copied)>
                {move || if copied.get() { t.copied } else { t.copy }}
            </button>
            <span class="sr-only" role="status">{move || if copied.get() { t.copied } else { "" }}</span>
            {recovery_file_link(two_step, &owner, &codes)}
            <button class="button-quiet is-edged" type="button" on:click=|_| _ = window().print()>{two_step.print}</button>
        </div>
        <button class="no-print button-primary self-start" type="button" on:click=move |_| go.run(Step::On(ALL_CODES))>
            {two_step.saved_them}
        </button>
    }
}

/// The number of unused codes, and the forms that replace the codes and turn two-step sign-in off.
#[component]
fn TurnedOn(left: u32, go: Callback<Step>) -> impl IntoView {
    let t = use_texts();
    let two_step = t.language.two_step();
    let (renewed, turned_off) = (Confirmed::new(), Confirmed::new());
    let renew = Callback::new(move |password| {
        let codes = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(renew_recovery_codes(proof.password, proof.passkey).await?)
        };
        renewed.ask(codes, move |codes| go.run(Step::Codes(codes)));
    });
    let turn_off = Callback::new(move |password| {
        let off = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(turn_off_second_factor(proof.password, proof.passkey).await?)
        };
        turned_off.ask(off, move |()| go.run(Step::Off));
    });
    view! {
        <p>{t.count(two_step.codes_left, left)}</p>
        <details class="folded is-harmless">
            <summary class="link">{two_step.new_codes}"…"</summary>
            <p class="mt-3">{two_step.new_codes_help}</p>
            <ConfirmForm id="renew-password" action=paths::RENEW_RECOVERY_CODES confirmed=renewed submit=renew>
                <SaveButton outcome=renewed.outcome label=two_step.create_codes busy=t.saving done="" />
            </ConfirmForm>
        </details>
        <details class="folded">
            <summary class="link">{two_step.turn_off}"…"</summary>
            <p class="mt-3">{two_step.turn_off_help}</p>
            <ConfirmForm id="turn-off-password" action=paths::TURN_OFF_TWO_STEP confirmed=turned_off submit=turn_off>
                <SaveButton outcome=turned_off.outcome label=two_step.turn_off busy=t.saving done="" danger=true />
            </ConfirmForm>
        </details>
    }
}
