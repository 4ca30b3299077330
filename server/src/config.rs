//! What the operator may set, by flag or variable. `reading` checks it, once at start.

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
use crate::transfer::Move;

pub(crate) use reading::database;

/// Duet: a private one-to-one chat on one URL.
#[derive(Clone, Debug, Parser)]
#[command(name = "duet", version, about, args_conflicts_with_subcommands = true)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address and port to listen on.
    #[arg(long, env = "DUET_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// Directory of the embedded store; made when absent.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    pub data: PathBuf,

    /// The store as a URL instead of a directory: sqlite:PATH, or
    /// `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE` for several
    /// nodes on one database. As a variable, nobody sees it in the list of processes.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretUrl>,

    /// Connections to Postgres of this process.
    #[arg(long, env = "DUET_DATABASE_CONNECTIONS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub database_connections: u32,

    /// Seconds for which a Postgres that is not there yet is waited for.
    #[arg(long, env = "DUET_DATABASE_WAIT", default_value_t = 300)]
    pub database_wait: u64,

    /// What passes live events between several nodes on one database:
    /// `nats://TOKEN@HOST:4222`, `nats://USER:PASSWORD@HOST`, or `tls://HOST`; several servers of one
    /// NATS cluster with commas.
    #[arg(long, env = "DUET_NATS_URL", hide_env_values = true)]
    pub nats_url: Option<SecretUrl>,

    /// A NATS credentials file, in place of a token or password in the URL.
    #[arg(long, env = "DUET_NATS_CREDENTIALS")]
    pub nats_credentials: Option<PathBuf>,

    /// The certificate of the authority to trust for NATS, besides those of the system.
    #[arg(long, env = "DUET_NATS_AUTHORITY")]
    pub nats_authority: Option<PathBuf>,

    /// The address people type, such as `https://chat.example.org`. Needed unless only this machine
    /// is served.
    #[arg(long, env = "DUET_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Serve plain http to other machines. Passwords and messages can then be read on the way.
    #[arg(long, env = "DUET_ALLOW_HTTP")]
    pub allow_http: bool,

    /// Who may create an account: everybody, whoever was invited, or nobody.
    #[arg(long, env = "DUET_REGISTRATION", default_value = "open")]
    pub registration: Registration,

    /// Who runs this Duet, as those who are not signed in are told, such as "Berg family".
    #[arg(long, env = "DUET_NAME", default_value = "Duet", value_parser = name)]
    pub name: String,

    /// A sentence of welcome for them.
    #[arg(long, env = "DUET_WELCOME", default_value = "", value_parser = welcome)]
    pub welcome: String,

    /// Whether people can be found by the start of their names, or by the whole username alone.
    #[arg(long, env = "DUET_DIRECTORY", default_value = "open")]
    pub directory: Gate,

    /// Proxies in front whose X-Forwarded-For or Forwarded is believed: addresses or networks, with
    /// commas. Let the proxy remove the one that it does not write: of two that differ neither is
    /// believed.
    #[arg(long, env = "DUET_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: Proxies,

    /// Whether browsers are told to come by https alone for a year (Strict-Transport-Security):
    /// on, subdomains (theirs as well, which other services of yours may not want), or off.
    #[arg(long, env = "DUET_HSTS", default_value = "on")]
    pub hsts: Hsts,

    /// The built site; found beside the binary when not given.
    #[arg(long, env = "DUET_SITE")]
    pub site: Option<PathBuf>,

    /// New accounts from one address in an hour.
    #[arg(long, env = "DUET_SIGN_UPS_PER_HOUR", default_value_t = chat::Rates::default().sign_ups_per_hour)]
    pub sign_ups_per_hour: NonZeroU32,

    /// Attempts to sign in from one address in a minute.
    #[arg(long, env = "DUET_SIGN_INS_PER_MINUTE", default_value_t = chat::Rates::default().sign_ins_per_minute)]
    pub sign_ins_per_minute: NonZeroU32,

    /// Searches for people by one person in a minute.
    #[arg(long, env = "DUET_SEARCHES_PER_MINUTE", default_value_t = chat::Rates::default().searches_per_minute)]
    pub searches_per_minute: NonZeroU32,

    /// Messages of one person in a minute.
    #[arg(long, env = "DUET_MESSAGES_PER_MINUTE", default_value_t = chat::Rates::default().messages_per_minute)]
    pub messages_per_minute: NonZeroU32,

    /// Frames of one live connection in a second.
    #[arg(long, env = "DUET_FRAMES_PER_SECOND", default_value_t = chat::Rates::default().frames_per_second)]
    pub frames_per_second: NonZeroU32,

    /// Passwords that are hashed at once, each in 46 MiB of memory; as many as there are cores
    /// when it is not set.
    #[arg(long, env = "DUET_PASSWORD_HASHES_AT_ONCE")]
    pub password_hashes_at_once: Option<NonZeroUsize>,

    /// Live connections of this process.
    #[arg(long, env = "DUET_MAX_CONNECTIONS", default_value_t = 10_000)]
    pub max_connections: usize,

    /// Live connections of one person.
    #[arg(long, env = "DUET_MAX_CONNECTIONS_PER_USER", default_value_t = 10)]
    pub max_connections_per_user: usize,

    /// Seconds someone stays online after their last connection ended.
    #[arg(long, env = "DUET_PRESENCE_GRACE", default_value_t = 30)]
    pub presence_grace: u64,

    /// Seconds between "not ready" and closing connections at the end, for a load balancer to
    /// notice.
    #[arg(long, env = "DUET_DRAIN", default_value_t = 0)]
    pub drain: u64,

    /// Days after which a session that is not used is over. An open page is use.
    #[arg(long, env = "DUET_SESSION_IDLE_DAYS", default_value = "7", value_parser = days)]
    pub session_idle_days: Days,

    /// Days after which a session is over, used or not.
    #[arg(long, env = "DUET_SESSION_DAYS", default_value = "30", value_parser = days)]
    pub session_days: Days,

    /// What is logged, such as info or debug or chat=debug,info.
    #[arg(long, env = "DUET_LOG", default_value = "info")]
    pub log: String,

    /// How it is logged.
    #[arg(long, env = "DUET_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// What `duet` does besides serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Moves the SQLite store to a Postgres, with everything in it. No server may run on either
    /// meanwhile; if it is interrupted, run it again, and it goes on where it was.
    Move(Move),
    /// Lets the next start take the SQLite store that is there: after the database was replaced
    /// by another one, or to begin with an empty one. The start says when this is needed.
    AcceptStore(AcceptStore),
    /// Makes the tables of the store, or brings them up to date, and ends. A server that is then
    /// started needs a role that may read and change rows, and no more.
    Migrate(Migrate),
}

/// A whole number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u32);

/// Ten years.
const MOST_DAYS: u32 = 3_650;

impl Days {
    /// As seconds.
    pub const fn seconds(self) -> u32 {
        self.0 * 24 * 60 * 60
    }

    /// As a span of time.
    pub const fn span(self) -> Duration {
        Duration::from_secs(self.seconds() as u64)
    }
}

fn days(text: &str) -> Result<Days, String> {
    let days = text.trim().parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
    days.map(Days).ok_or_else(|| {
        format!("a session lasts for a whole number of days, from 1 to {MOST_DAYS}; {text} is none")
    })
}

const MOST_OF_A_NAME: usize = 60;
const MOST_OF_A_WELCOME: usize = 300;

fn name(text: &str) -> Result<String, String> {
    let name = plain_text(text, "a name", MOST_OF_A_NAME)?;
    if name.is_empty() { Err("a name says something".to_owned()) } else { Ok(name) }
}

fn welcome(text: &str) -> Result<String, String> {
    plain_text(text, "a welcome", MOST_OF_A_WELCOME)
}

/// A line for people to read.
fn plain_text(text: &str, what: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    // Those that change the direction or the lines of the text around them are refused as well.
    let unseen =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(unseen) {
        return Err(format!("{what} is one line of plain text, without control characters"));
    }
    match text.chars().count() {
        count if count > most => {
            Err(format!("{what} has at most {most} characters; this one has {count}"))
        }
        _ => Ok(text.to_owned()),
    }
}

/// A URL that may hold a password, so it is shown to nobody.
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

/// Who may create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Whoever has an invitation of someone who is in.
    Invited,
    /// Nobody, and nobody can be invited.
    Closed,
}

/// Open to all, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gate {
    /// To all.
    Open,
    /// To those who are in already.
    Closed,
}

/// Which hosts browsers are told to ask by https alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hsts {
    /// This one.
    On,
    /// This one and all below it.
    Subdomains,
    /// None; a proxy may say so itself.
    Off,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// For machines, one object a line.
    Json,
}
