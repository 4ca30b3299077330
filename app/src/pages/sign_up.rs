//! Creating an account.

use leptos::ev::{Event, SubmitEvent};
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::HtmlInputElement;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use protocol::ErrorCode;

use super::passkey_sign_up::PasskeySignUp;
use super::sign_in::leave_for;
use crate::bootstrap::use_bootstrap;
use crate::components::{FieldKind, FormAlert, Greeting, TextField, Wordmark, begin_in};
use crate::error::AppError;
use crate::error_messages::{FormField, error_message, field_of};
use crate::language::{Language, Texts, use_texts};
use crate::paths;
use crate::server_fns::{free_usernames, sign_up};
use crate::text;

/// The page `/sign-up`.
#[component]
pub fn SignUp() -> impl IntoView {
    let (t, bootstrap) = (use_texts(), use_bootstrap());
    let query = use_query_map().get_untracked();
    let next = query.get("next").map(|next| paths::safe(&next).to_owned());
    let next = next.unwrap_or_else(|| paths::HOME.to_owned());
    #[cfg(feature = "ssr")]
    if bootstrap.me.is_some() {
        crate::response::redirect(&next);
    }
    let sign_in = paths::sign_in_then(&next);
    let invitation = query.get("invitation").filter(|_| bootstrap.invitations_open);
    let open = bootstrap.registration_open || invitation.is_some();
    let closed = match bootstrap.invitations_open {
        true => t.account().registration_invited,
        false => t.account().registration_closed,
    };
    view! {
        <Title text=t.account().create_an_account />
        <main class="card-page">
            <div class="card">
                <Wordmark />
                <Greeting />
                {if open {
                    view! { <SignUpForm next=next invitation=invitation /> }.into_any()
                } else {
                    view! {
                        <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.account().registration_closed_title}</h1>
                        <p class="mt-2 text-muted">{closed}</p>
                    }.into_any()
                }}
                <p class="mt-6 text-center text-muted">
                    {t.account().have_an_account}<a class="link" href=sign_in rel="external">{t.sign_in}</a>
                </p>
            </div>
        </main>
    }
}

/// The sign-up form.
#[component]
pub(super) fn SignUpForm(
    /// The path to open after signing up.
    next: String,
    /// The invitation token; the new account then starts in the conversation with the inviter.
    invitation: Option<String>,
) -> impl IntoView {
    let (t, echo) = (use_texts(), use_bootstrap().echo);
    let action = match (&invitation, next.as_str()) {
        (Some(token), _) => format!("{}?invitation={}", paths::SIGN_UP, paths::encode(token)),
        (None, paths::HOME) => paths::SIGN_UP.to_owned(),
        (None, next) => format!("{}?next={}", paths::SIGN_UP, paths::encode(next)),
    };
    let token = invitation.clone();
    let (passkey_next, passkey_token) = (next.clone(), invitation.clone());
    let offers_passkeys = use_bootstrap().passkey_sign_up;
    let free = echo.free.split_whitespace().map(str::to_owned).collect();
    let form = SignUpState {
        fields: Fields::default(),
        error: RwSignal::new(echo.error),
        busy: RwSignal::new(false),
        free: RwSignal::new(free),
    };
    let SignUpState { fields, error, busy, free } = form;
    begin_in(fields.name);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.submit(&next, token.as_ref());
    };
    let at = move |field: FormField| {
        Signal::derive(move || error.get().and_then(|error| at_field(t, error, field)))
    };
    let elsewhere = Signal::derive(move || {
        error.get().filter(|error| field_of(*error).is_none()).map(|error| error_message(t, error))
    });
    let keep_in_step = move |event| fields.keep_in_step(&event, t.language == Language::German);
    view! {
        {invitation.is_none().then(|| view! {
            <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.account().create_your_account}</h1>
        })}
        <form class="mt-4 flex flex-col gap-4" method="post" action=action on:submit=on_submit on:input=keep_in_step>
            <FormAlert text=elsewhere />
            {invitation.map(|token| view! { <input type="hidden" name="invitation" value=token /> })}
            <TextField kind=FieldKind::NewName node_ref=fields.name value=echo.display_name error=at(FormField::DisplayName) />
            <div>
                <TextField kind=FieldKind::NewUsername node_ref=fields.username value=echo.username error=at(FormField::Username) />
                <noscript inner_html=format!("<p class=\"field-help\">{}</p>", t.account().username_made)></noscript>
                <FreeNames free=free fields=fields />
            </div>
            <TextField kind=FieldKind::NewPassword node_ref=fields.password value=String::new() error=at(FormField::Password) />
            <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                {move || if busy.get() { t.account().creating } else { t.account().create_account }}
            </button>
        </form>
        {offers_passkeys.then(|| view! {
            <PasskeySignUp
                next=passkey_next
                invitation=passkey_token
                names=(fields.name, fields.username)
                refused=Callback::new(move |refused| form.show(refused))
            />
        })}
    }
}

/// The state of the form.
#[derive(Clone, Copy)]
struct SignUpState {
    fields: Fields,
    error: RwSignal<Option<AppError>>,
    busy: RwSignal<bool>,
    /// Free usernames, if the requested one is taken.
    free: RwSignal<Vec<String>>,
}

impl SignUpState {
    /// Shows a refusal, at its field if it has one.
    fn show(self, refused: AppError) {
        self.error.set(Some(refused));
        self.fields.turn_to(refused);
    }

    /// Creates the account, then opens the conversation with the inviter, or `next`.
    fn submit(self, next: &str, token: Option<&String>) {
        let Some([name, username, secret]) = self.fields.values() else { return };
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.error.set(None);
        self.free.set(Vec::new());
        let (next, token) = (next.to_owned(), token.cloned());
        spawn_local(async move {
            match sign_up(username.clone(), name, secret, token.clone()).await {
                Ok(opened) => leave_for(&opened.map_or(next, paths::conversation)),
                Err(refused) => {
                    self.busy.set(false);
                    self.show(refused);
                    if refused.code() == Some(ErrorCode::UsernameTaken)
                        && let Ok(names) = free_usernames(username, token).await
                    {
                        _ = self.free.try_set(names);
                    }
                }
            }
        });
    }
}

/// Free usernames to choose from, if the requested one is taken.
#[component]
fn FreeNames(
    free: RwSignal<Vec<String>>,
    /// The form that receives the chosen username.
    fields: Fields,
) -> impl IntoView {
    let t = use_texts();
    view! {
        <p class="free-names" role="status" class:hidden=move || free.with(Vec::is_empty)>
            {t.account().free_names}
            {move || {
                let each = |name: String| {
                    let shown = name.clone();
                    let choose = move |_| {
                        fields.choose(&name);
                        free.set(Vec::new());
                    };
                    view! {
                        <button class="button-quiet is-edged" type="button" dir="auto" on:click=choose>{shown}</button>
                    }
                };
                free.get().into_iter().map(each).collect_view()
            }}
        </p>
    }
}

/// The input elements of the form.
#[derive(Clone, Copy, Default)]
struct Fields {
    name: NodeRef<Input>,
    username: NodeRef<Input>,
    password: NodeRef<Input>,
    /// The last proposed username. A field with another value was edited by the user.
    proposed: StoredValue<String>,
}

impl Fields {
    /// The values of name, username and password.
    fn values(self) -> Option<[String; 3]> {
        let value = |field: NodeRef<Input>| Some(field.get_untracked()?.value());
        Some([value(self.name)?, value(self.username)?, value(self.password)?])
    }

    /// Derives a username from the name while the user types, until the user edits the username.
    fn keep_in_step(self, event: &Event, german: bool) {
        let (Some(name), Some(username)) =
            (self.name.get_untracked(), self.username.get_untracked())
        else {
            return;
        };
        let proposed = self.proposed.get_value();
        if event_target::<HtmlInputElement>(event) == name && username.value() == proposed {
            let proposed = text::username(&name.value(), german);
            username.set_value(&proposed);
            self.proposed.set_value(proposed);
        }
    }

    /// Sets the username and focuses the password.
    fn choose(self, free: &str) {
        let Some(username) = self.username.get_untracked() else { return };
        username.set_value(free);
        if let Some(password) = self.password.get_untracked() {
            _ = password.focus();
        }
    }

    /// Focuses the field that was refused.
    fn turn_to(self, refused: AppError) {
        let wrong = match field_of(refused) {
            Some(FormField::Password) => self.password,
            Some(FormField::DisplayName) => self.name,
            _ => self.username,
        };
        if let Some(field) = wrong.get_untracked() {
            _ = field.focus();
        }
    }
}

fn at_field(t: &Texts, error: AppError, field: FormField) -> Option<String> {
    (field_of(error) == Some(field)).then(|| error_message(t, error))
}
