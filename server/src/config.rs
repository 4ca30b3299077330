//! What the operator may set, by flag or variable, checked once at start.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::origins::Origins;
use crate::transfer::Move;

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

    /// Whether people can be found by the start of their names, or by the whole username alone.
    #[arg(long, env = "DUET_DIRECTORY", default_value = "open")]
    pub directory: Gate,

    /// Proxies in front whose X-Forwarded-For is believed: addresses or networks, with commas.
    #[arg(long, env = "DUET_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

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

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// For machines, one object a line.
    Json,
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text} is neither an address nor a network"))
}

impl Config {
    /// What `chat` needs.
    ///
    /// # Errors
    /// A database URL of a kind that is not known.
    pub fn chat(&self) -> Result<chat::Config> {
        let database = match &self.database_url {
            None => self.data.join("duet.db").into(),
            Some(url) => database(url, self.database_connections, "DUET_DATABASE_URL")?,
        };
        let broker = self.nats_url.as_ref().map(|SecretUrl(url)| chat::Broker {
            url: url.clone(),
            credentials: self.nats_credentials.clone(),
            authority: self.nats_authority.clone(),
        });
        Ok(chat::Config {
            broker,
            registration: match self.registration {
                Registration::Open => chat::Registration::Open,
                Registration::Invited => chat::Registration::Invited,
                Registration::Closed => chat::Registration::Closed,
            },
            directory_open: self.directory == Gate::Open,
            rates: chat::Rates {
                sign_ups_per_hour: self.sign_ups_per_hour,
                sign_ins_per_minute: self.sign_ins_per_minute,
                searches_per_minute: self.searches_per_minute,
                messages_per_minute: self.messages_per_minute,
                frames_per_second: self.frames_per_second,
            },
            max_connections: self.max_connections,
            max_connections_per_user: self.max_connections_per_user,
            presence_grace: Duration::from_secs(self.presence_grace),
            ..chat::Config::new(database)
        })
    }

    /// The origins the site answers to, given where it really listens.
    ///
    /// # Errors
    /// A public URL that is none, or plain http for other machines without having asked for it.
    pub fn origins(&self, listening: SocketAddr) -> Result<Origins> {
        let Some(url) = self.public_url.as_deref() else {
            if !listening.ip().is_loopback() {
                bail!(
                    "listening on {listening} serves other machines: say under which address with \
                     DUET_PUBLIC_URL or --public-url, such as https://chat.example.org"
                );
            }
            return Ok(Origins::loopback(listening.port()));
        };
        let origins = Origins::public(url)?;
        if !origins.is_https() && !origins.is_loopback() && !self.allow_http {
            bail!(
                "{url} is plain http: passwords and messages could be read on the way. Put https \
                 in front, or accept it with DUET_ALLOW_HTTP=true"
            );
        }
        Ok(origins)
    }

    /// The directory of the built site.
    ///
    /// # Errors
    /// It is nowhere.
    pub fn site(&self) -> Result<PathBuf> {
        if let Some(site) = &self.site {
            return is_site(site).with_context(|| format!("no built site in {}", site.display()));
        }
        let binary = std::env::current_exe().context("cannot tell where the binary is")?;
        let beside = binary.parent().unwrap_or(Path::new("."));
        [beside.join("site"), beside.join("../site"), PathBuf::from("target/site")]
            .iter()
            .find_map(|place| is_site(place))
            .context("no built site beside the binary: run `make serve`, or name it with --site")
    }
}

fn is_site(place: &Path) -> Option<PathBuf> {
    place.join("pkg").is_dir().then(|| place.to_owned())
}

/// What a URL names; `setting` is where the operator wrote it.
pub(crate) fn database(
    SecretUrl(url): &SecretUrl,
    connections: u32,
    setting: &str,
) -> Result<chat::Database> {
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite_path(path, setting).map(chat::Database::from),
        Some(("postgres" | "postgresql", _)) => {
            Ok(chat::Database::Postgres { url: url.to_owned(), connections })
        }
        // What stands before the colon may be a name; what stands behind it may be a password.
        Some((scheme, _)) => bail!(
            "{setting} begins with {scheme}: the store is SQLite (sqlite:PATH, or a \
             directory with DUET_DATA) or Postgres (postgres://USER:PASSWORD@HOST/DATABASE)"
        ),
        None => bail!("{setting} is no URL; write sqlite:PATH or postgres://..."),
    }
}

fn sqlite_path(path: &str, setting: &str) -> Result<PathBuf> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" {
        bail!("{setting} names no file: messages must outlive the process");
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Config {
        Config::parse_from(std::iter::once(&"duet").chain(arguments))
    }

    #[test]
    fn the_store_is_a_directory_or_a_url() {
        let database = |arguments: &[&str]| config(arguments).chat().map(|chat| chat.database);
        let file = |path: &str| Some(chat::Database::Sqlite(PathBuf::from(path)));
        assert_eq!(database(&[]).ok(), file("data/duet.db"));
        assert_eq!(database(&["--data", "/x"]).ok(), file("/x/duet.db"));
        let url = |url: &str| database(&["--database-url", url, "--database-connections", "20"]);
        assert_eq!(url("sqlite:///x/y.db?mode=rwc").ok(), file("/x/y.db"));
        for shared in ["postgres://duet:secret@db/duet", "postgresql://db/duet"] {
            let expected = chat::Database::Postgres { url: shared.to_owned(), connections: 20 };
            assert_eq!(url(shared).ok(), Some(expected));
        }
        for wrong in ["mysql://localhost/duet", "sqlite:", "sqlite::memory:", "nonsense"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_of_the_store_is_shown_nowhere() {
        let config = config(&["--database-url", "postgres://duet:very-secret@db/duet"]);
        assert!(!format!("{config:?}").contains("secret"));
        let mistyped = Config { database_url: "duet:very-secret@db/duet".parse().ok(), ..config };
        let said = mistyped.chat().expect_err("no such store");
        assert!(!format!("{said:#}").contains("secret"), "{said:#}");
    }

    #[test]
    fn serving_others_needs_an_address_and_https_or_consent() {
        let here: SocketAddr = "127.0.0.1:3000".parse().expect("an address");
        let everywhere: SocketAddr = "0.0.0.0:80".parse().expect("an address");
        assert!(config(&[]).origins(here).is_ok());
        assert!(config(&[]).origins(everywhere).is_err());
        let public = |url: &str| config(&["--public-url", url]).origins(everywhere);
        assert!(public("https://chat.example.org").is_ok_and(|origins| origins.is_https()));
        assert!(public("http://chat.example.org").is_err());
        assert!(public("http://localhost:3000").is_ok());
        assert!(public("ftp://chat.example.org").is_err());
        assert!(public("chat.example.org").is_err());
        assert!(
            config(&["--public-url", "http://192.168.1.5:3000", "--allow-http"])
                .origins(everywhere)
                .is_ok()
        );
    }
}
