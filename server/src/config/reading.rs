//! Converts the parsed settings into the configuration types of `chat`, `origins` and the router,
//! and refuses combinations that are not safe. An error must not contain a password. Called by
//! `main`, [`crate::run`] and the subcommands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, FromArgMatches};

use super::{Config, Directory, Registration, SecretUrl};
use crate::origins::Origins;
use crate::variables;

impl Config {
    /// Reads flags and variables. Exits the process on a wrong value, and after `--help` or
    /// `--version`.
    pub fn read() -> Self {
        let matches = variables::without_empty(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Logs each `DUET_*` variable that no setting reads.
    pub fn warn_of_unknown_variables() {
        variables::warn_of_unknown(&Self::command());
    }

    /// Returns the location of the store without credentials, for the log.
    pub fn store(&self) -> String {
        match &self.database_url {
            None => format!("sqlite:{}", self.data.join("duet.db").display()),
            Some(SecretUrl(url)) if url.starts_with("sqlite:") => url.clone(),
            Some(SecretUrl(url)) => match url::Url::parse(url) {
                Ok(url) if url.has_host() => {
                    format!("postgres://{}{}", url.host_str().unwrap_or_default(), url.path())
                }
                // The rest of a malformed URL may contain a password.
                _ => "postgres".to_owned(),
            },
        }
    }

    /// Returns the number of files that a busy store opens in addition to those it opens at start.
    pub fn store_files(&self) -> usize {
        match &self.database_url {
            Some(SecretUrl(url)) if url.starts_with("postgres") => {
                usize::try_from(self.database_connections).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Returns the configuration of the `chat` crate.
    ///
    /// # Errors
    /// Fails if the database URL has an unknown scheme.
    pub fn chat(&self) -> Result<chat::Config> {
        let database = match &self.database_url {
            None => self.data.join("duet.db").into(),
            Some(url) => parse_database(url, self.database_connections, "DUET_DATABASE_URL")?,
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
            directory_open: self.directory == Directory::Open,
            rates: chat::Rates {
                sign_ups_per_hour: self.sign_ups_per_hour,
                sign_ins_per_minute: self.sign_ins_per_minute,
                searches_per_minute: self.searches_per_minute,
                messages_per_minute: self.messages_per_minute,
                message_mebibytes_per_day: self.message_mebibytes_per_day,
                conversations_per_hour: self.conversations_per_hour,
                requests_per_day: self.requests_per_day,
                reads_per_minute: self.reads_per_minute,
                frames_per_second: self.frames_per_second,
            },
            passkey_sign_up: self.passkey_sign_up,
            max_store_bytes: self.max_store_bytes,
            password_hashes_at_once: self.password_hashes_at_once,
            max_connections: self.max_connections,
            max_connections_per_user: self.max_connections_per_user,
            presence_grace: Duration::from_secs(self.presence_grace),
            session_idle: self.session_idle_days.span(),
            session_life: self.session_days.span(),
            database_wait: Duration::from_secs(self.database_wait),
            ..chat::Config::new(database)
        })
    }

    /// Returns the origins of the site. `listening` is the actual address of the listener.
    ///
    /// # Errors
    /// Fails if the public URL is invalid, if it is missing on a non-loopback address, or if it is
    /// plain http for other machines without `allow_http`.
    pub fn origins(&self, listening: SocketAddr) -> Result<Origins> {
        let Some(url) = self.public_url.as_deref() else {
            if !listening.ip().is_loopback() {
                bail!(
                    "other machines can reach {listening}: set the public address with \
                     DUET_PUBLIC_URL or --public-url, such as https://chat.example.org"
                );
            }
            return Ok(Origins::loopback(listening.port()));
        };
        let origins = Origins::public(url)?;
        if !origins.is_https() && !origins.is_loopback() && !self.allow_http {
            bail!(
                "{url} is plain http, so that passwords and messages can be intercepted. Put an \
                 https proxy in front, or allow http with DUET_ALLOW_HTTP=true"
            );
        }
        Ok(origins)
    }

    /// Returns the directory of the built site.
    ///
    /// # Errors
    /// Fails if no directory contains a built site.
    pub fn site(&self) -> Result<PathBuf> {
        if let Some(site) = &self.site {
            return is_site(site).with_context(|| format!("no built site in {}", site.display()));
        }
        let binary = std::env::current_exe().context("cannot find the path of the binary")?;
        let beside = binary.parent().unwrap_or(Path::new("."));
        [beside.join("site"), beside.join("../site"), PathBuf::from("target/site")]
            .iter()
            .find_map(|directory| is_site(directory))
            .context("no built site beside the binary: run `make serve`, or set --site")
    }
}

fn is_site(directory: &Path) -> Option<PathBuf> {
    directory.join("pkg").is_dir().then(|| directory.to_owned())
}

/// Parses a database URL. `setting` is the flag or variable that contains the URL, for error
/// messages.
pub(crate) fn parse_database(
    SecretUrl(url): &SecretUrl,
    connections: u32,
    setting: &str,
) -> Result<chat::Database> {
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite_path(path, setting).map(chat::Database::from),
        Some(("postgres" | "postgresql", _)) => {
            Ok(chat::Database::Postgres { url: url.to_owned(), connections })
        }
        // Shows only the scheme, because the rest may contain a password.
        Some((scheme, _)) => bail!(
            "{setting} has the unknown scheme {scheme}: write sqlite:PATH (or set a directory with \
             DUET_DATA), or postgres://USER:PASSWORD@HOST/DATABASE"
        ),
        None => bail!("{setting} is not a URL: write sqlite:PATH or postgres://..."),
    }
}

fn sqlite_path(path: &str, setting: &str) -> Result<PathBuf> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" {
        bail!("{setting} contains no file: messages must survive a restart");
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Days;
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
    fn the_password_in_the_store_url_is_never_printed() {
        let config = config(&["--database-url", "postgres://duet:very-secret@db/duet"]);
        assert!(!format!("{config:?}").contains("very-secret"));
        let mistyped = Config { database_url: "duet:very-secret@db/duet".parse().ok(), ..config };
        let error = mistyped.chat().expect_err("no such store");
        assert!(!format!("{error:#}").contains("secret"), "{error:#}");
    }

    #[test]
    fn the_session_lifetime_is_a_whole_number_of_days() {
        let days = |arguments: &[&str]| {
            let all = std::iter::once(&"duet").chain(arguments);
            Config::try_parse_from(all)
                .map(|config| (config.session_idle_days, config.session_days))
        };
        assert_eq!(days(&[]).ok(), Some((Days(7), Days(30))));
        let set = days(&["--session-idle-days", "2", "--session-days=400"]);
        assert_eq!(set.ok(), Some((Days(2), Days(400))));
        for wrong in ["0", "-1", "1.5", "3651", "4294967297", "a week", ""] {
            let refused = days(&[&format!("--session-days={wrong}")]).expect_err(wrong).to_string();
            assert!(refused.contains("is not a whole number of days from 1 to 3650"), "{refused}");
        }
    }

    #[test]
    fn name_and_welcome_are_one_line_of_plain_text() {
        let greeting = |arguments: &[&str]| {
            let all = std::iter::once(&"duet").chain(arguments);
            Config::try_parse_from(all).map(|config| (config.name, config.welcome))
        };
        assert_eq!(greeting(&[]).ok(), Some(("Duet".to_owned(), String::new())));
        let set = greeting(&["--name", " Berg family ", "--welcome=Für uns <alle>."]);
        assert_eq!(set.ok(), Some(("Berg family".to_owned(), "Für uns <alle>.".to_owned())));
        for (wrong, why) in [
            ("--name=a\nb".to_owned(), "without control characters"),
            ("--name=a\u{202e}b".to_owned(), "without control characters"),
            ("--name= ".to_owned(), "the name must not be empty"),
            (format!("--name={}", "n".repeat(61)), "at most 60 characters, and has 61"),
            ("--welcome=a\u{7}".to_owned(), "without control characters"),
            (format!("--welcome={}", "w".repeat(301)), "at most 300 characters"),
        ] {
            let refused = greeting(&[&wrong]).expect_err(&wrong).to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_server_for_other_machines_needs_a_public_url_and_https_or_consent() {
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
