//! The settings of the operator, from flags and environment variables. The doc comments of
//! [`Config`] are the texts of `duet --help`, so they address the operator. Called by `main` and by
//! tests.
//!
//! - `oidc`: the settings of the sign-in provider
//! - `reading`: converts the settings for the parts of the process

mod oidc;
mod reading;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::accept_store::AcceptStore;
use crate::client_ip::Proxies;
use crate::migrate::Migrate;
use crate::moving::Move;
use crate::replace_secret::ReplaceSecret;
use crate::reports::Reports;
use crate::security_txt;
use crate::time_limits::TimeLimits;
use crate::turn_off_two_step::TurnOffTwoStep;

pub use oidc::Oidc;
#[cfg(feature = "oidc")]
pub(crate) use oidc::ProviderSettings;
pub(crate) use reading::parse_database;

/// Duet: private one-to-one chat on a single URL.
#[derive(Clone, Debug, Parser)]
#[command(name = "duet", version, about, args_conflicts_with_subcommands = true)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address and port to listen on.
    #[arg(long, env = "DUET_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// Directory of the SQLite store; created if missing.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    pub data: PathBuf,

    /// URL of the store, instead of a directory: sqlite:PATH, or
    /// `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE` for a Postgres
    /// that several nodes can share. Prefer the variable to the flag, because the process list
    /// shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretUrl>,

    /// Maximum number of Postgres connections of this process.
    #[arg(long, env = "DUET_DATABASE_CONNECTIONS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub database_connections: u32,

    /// Seconds to wait at start for a Postgres that is not reachable yet.
    #[arg(long, env = "DUET_DATABASE_WAIT", default_value_t = 300)]
    pub database_wait: u64,

    /// NATS server that passes live events between the nodes of a cluster:
    /// `nats://TOKEN@HOST:4222`, `nats://USER:PASSWORD@HOST`, or `tls://HOST`. Separate several
    /// servers of one NATS cluster with commas.
    #[arg(long, env = "DUET_NATS_URL", hide_env_values = true)]
    pub nats_url: Option<SecretUrl>,

    /// Path to a NATS credentials file, instead of a token or password in the URL.
    #[arg(long, env = "DUET_NATS_CREDENTIALS")]
    pub nats_credentials: Option<PathBuf>,

    /// Path to a CA certificate to trust for NATS, in addition to those of the system.
    #[arg(long, env = "DUET_NATS_AUTHORITY")]
    pub nats_authority: Option<PathBuf>,

    /// Public address of this server, such as `https://chat.example.org`. Required unless the
    /// server listens on a loopback address.
    #[arg(long, env = "DUET_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Serve plain http to other machines. Passwords and messages can then be intercepted.
    #[arg(long, env = "DUET_ALLOW_HTTP")]
    pub allow_http: bool,

    /// Who may create an account: everybody, people with an invitation, or nobody.
    #[arg(long, env = "DUET_REGISTRATION", default_value = "open")]
    pub registration: Registration,

    /// Let people sign up with a passkey and without a password. Needs a public address of https with
    /// a domain name.
    #[arg(long, env = "DUET_PASSKEY_SIGN_UP")]
    pub passkey_sign_up: bool,

    /// The sign-in provider.
    #[command(flatten)]
    pub oidc: Oidc,

    /// Name of this server on the pages for visitors who are not signed in, such as "Berg family".
    #[arg(long, env = "DUET_NAME", default_value = "Duet", value_parser = name)]
    pub name: String,

    /// Welcome sentence for visitors who are not signed in.
    #[arg(long, env = "DUET_WELCOME", default_value = "", value_parser = welcome)]
    pub welcome: String,

    /// Where to report a vulnerability of this server, for /.well-known/security.txt: an e-mail
    /// address, or a URL of https, mailto or tel. The file is served only if this is set.
    #[arg(long, env = "DUET_SECURITY_CONTACT", value_parser = security_txt::contact)]
    pub security_contact: Option<String>,

    /// Whether search matches the beginning of names (open), or only an exact username (closed).
    #[arg(long, env = "DUET_DIRECTORY", default_value = "open")]
    pub directory: Directory,

    /// Trusted reverse proxies, as comma-separated addresses or networks. Their X-Forwarded-For or
    /// Forwarded header supplies the client address. Let the proxy remove the header that it does
    /// not write: if the two name different addresses, both are ignored.
    #[arg(long, env = "DUET_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: Proxies,

    /// Strict-Transport-Security header, which makes browsers use https only for a year: on (this
    /// host), subdomains (also every subdomain, including other services there), or off. Sent only
    /// if the public address is https.
    #[arg(long, env = "DUET_HSTS", default_value = "on")]
    pub hsts: Hsts,

    /// Directory of the built site; searched for beside the binary if not set.
    #[arg(long, env = "DUET_SITE")]
    pub site: Option<PathBuf>,

    /// Maximum number of new accounts per client address and hour.
    #[arg(long, env = "DUET_SIGN_UPS_PER_HOUR", default_value_t = chat::Rates::default().sign_ups_per_hour)]
    pub sign_ups_per_hour: NonZeroU32,

    /// Maximum number of sign-in attempts per client address and minute.
    #[arg(long, env = "DUET_SIGN_INS_PER_MINUTE", default_value_t = chat::Rates::default().sign_ins_per_minute)]
    pub sign_ins_per_minute: NonZeroU32,

    /// Maximum number of people searches per user and minute.
    #[arg(long, env = "DUET_SEARCHES_PER_MINUTE", default_value_t = chat::Rates::default().searches_per_minute)]
    pub searches_per_minute: NonZeroU32,

    /// Maximum number of messages per user and minute.
    #[arg(long, env = "DUET_MESSAGES_PER_MINUTE", default_value_t = chat::Rates::default().messages_per_minute)]
    pub messages_per_minute: NonZeroU32,

    /// Maximum number of mebibytes of messages per user and day. Above it, a user can still send as
    /// fast as the allowance refills. Each node counts for itself.
    #[arg(long, env = "DUET_MESSAGE_MEBIBYTES_PER_DAY", default_value_t = chat::Rates::default().message_mebibytes_per_day)]
    pub message_mebibytes_per_day: NonZeroU32,

    /// Maximum number of new conversations per user and hour; per day, four times as many.
    #[arg(long, env = "DUET_CONVERSATIONS_PER_HOUR", default_value_t = chat::Rates::default().conversations_per_hour)]
    pub conversations_per_hour: NonZeroU32,

    /// Maximum number of new conversations per user and day. By default, this limit is reached
    /// before the limit per hour.
    #[arg(long, env = "DUET_REQUESTS_PER_DAY", default_value_t = chat::Rates::default().requests_per_day)]
    pub requests_per_day: NonZeroU32,

    /// Maximum number of reads of conversations and history per user and minute.
    #[arg(long, env = "DUET_READS_PER_MINUTE", default_value_t = chat::Rates::default().reads_per_minute)]
    pub reads_per_minute: NonZeroU32,

    /// Maximum number of frames per live connection and second.
    #[arg(long, env = "DUET_FRAMES_PER_SECOND", default_value_t = chat::Rates::default().frames_per_second)]
    pub frames_per_second: NonZeroU32,

    /// Size of the stored data in bytes at which messages, new accounts and new conversations are
    /// refused. Measured every ten seconds. No limit if not set.
    #[arg(long, env = "DUET_MAX_STORE_BYTES")]
    pub max_store_bytes: Option<u64>,

    /// Maximum number of passwords that are hashed at the same time. Each takes 46 MiB of memory.
    /// Defaults to the number of CPU cores.
    #[arg(long, env = "DUET_PASSWORD_HASHES_AT_ONCE")]
    pub password_hashes_at_once: Option<NonZeroUsize>,

    /// Maximum number of live connections of this process.
    #[arg(long, env = "DUET_MAX_CONNECTIONS", default_value_t = 10_000)]
    pub max_connections: usize,

    /// Maximum number of live connections per user.
    #[arg(long, env = "DUET_MAX_CONNECTIONS_PER_USER", default_value_t = 10)]
    pub max_connections_per_user: usize,

    /// Maximum number of connections per client address (IPv6: per /64 network), of any kind, and
    /// behind a trusted proxy of live connections. Defaults to 256, or to a quarter of the
    /// connections that the limit of open files allows, whichever is less.
    #[arg(long, env = "DUET_MAX_CONNECTIONS_PER_ADDRESS")]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// Seconds for which a user stays online after their last connection has closed.
    #[arg(long, env = "DUET_PRESENCE_GRACE", default_value_t = 30)]
    pub presence_grace: u64,

    /// Seconds between reporting "not ready" and closing connections at shutdown, so that a load
    /// balancer can react.
    #[arg(long, env = "DUET_DRAIN", default_value_t = 0)]
    pub drain: u64,

    /// Days without use after which a session expires. An open page counts as use.
    #[arg(long, env = "DUET_SESSION_IDLE_DAYS", default_value = "7", value_parser = days)]
    pub session_idle_days: Days,

    /// Days after which a session expires, even if it is used.
    #[arg(long, env = "DUET_SESSION_DAYS", default_value = "30", value_parser = days)]
    pub session_days: Days,

    /// Log filter, such as info or debug or chat=debug,info.
    #[arg(long, env = "DUET_LOG", default_value = "info")]
    pub log: String,

    /// Log format.
    #[arg(long, env = "DUET_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Not a setting of the operator.
    #[arg(skip)]
    pub time_limits: TimeLimits,
}

/// The subcommands of `duet`. Without one, `duet` serves.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Copies the SQLite store and everything in it to Postgres. No server may run on either store
    /// meanwhile. After an interruption, run the command again to continue.
    Move(Move),
    /// Lets the next start use the current SQLite store: after the database was replaced by another
    /// one, or to begin with an empty one. The server reports at start when this is needed.
    AcceptStore(AcceptStore),
    /// Creates or updates the tables of the store, then exits. A server started afterwards needs
    /// only a database role that can read and change rows.
    Migrate(Migrate),
    /// Replaces the secret by which the nodes on a Postgres authenticate each other: after somebody
    /// else may have read the database or a backup of it. Nodes keep running.
    ReplaceSecret(ReplaceSecret),
    /// Turns two-step sign-in off for a user who has lost the authenticator app and the recovery
    /// codes.
    TurnOffTwoStep(TurnOffTwoStep),
    /// Lists the reports of users about others, or closes one.
    Reports(Reports),
}

/// A whole number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u32);

/// Ten years.
const MAX_DAYS: u32 = 3_650;

impl Days {
    pub const fn seconds(self) -> u32 {
        self.0 * 24 * 60 * 60
    }

    pub const fn span(self) -> Duration {
        Duration::from_secs(self.seconds() as u64)
    }
}

fn days(text: &str) -> Result<Days, String> {
    let days = text.trim().parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
    days.map(Days)
        .ok_or_else(|| format!("{text} is not a whole number of days from 1 to {MAX_DAYS}"))
}

const MAX_NAME_CHARS: usize = 60;
const MAX_WELCOME_CHARS: usize = 300;

fn name(text: &str) -> Result<String, String> {
    let name = plain_text(text, "the name", MAX_NAME_CHARS)?;
    if name.is_empty() { Err("the name must not be empty".to_owned()) } else { Ok(name) }
}

fn welcome(text: &str) -> Result<String, String> {
    plain_text(text, "the welcome sentence", MAX_WELCOME_CHARS)
}

/// Trims and checks a single line of text that pages show to people.
fn plain_text(text: &str, setting: &str, max: usize) -> Result<String, String> {
    let text = text.trim();
    // Also rejects characters that change the direction or the line breaks of the surrounding text.
    let is_invisible =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(is_invisible) {
        return Err(format!("{setting} must be one line of plain text without control characters"));
    }
    match text.chars().count() {
        count if count > max => {
            Err(format!("{setting} must have at most {max} characters, and has {count}"))
        }
        _ => Ok(text.to_owned()),
    }
}

/// A URL that may contain a password. `Debug` never prints it.
#[derive(Clone)]
pub struct SecretUrl(String);

impl FromStr for SecretUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(..)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Everybody can sign up.
    Open,
    /// Only people with an invitation from a user can sign up.
    Invited,
    /// Nobody can sign up or be invited.
    Closed,
}

/// How search finds people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Directory {
    /// By the beginning of their names.
    Open,
    /// Only by their exact username.
    Closed,
}

/// The hosts that the Strict-Transport-Security header covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hsts {
    /// This host.
    On,
    /// This host and all its subdomains.
    Subdomains,
    /// No header; a proxy may set its own.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text.
    Text,
    /// JSON, one object per line.
    Json,
}
