//! The servers of a database URL, and connections to the primary among them.
//!
//! A URL may name several servers, in libpq's syntax: `postgres://duet@one:5432,two/duet`. Only one
//! is the primary, and the primary may change at any moment. All servers are tried at the same
//! time, so an unresponsive one causes no delay. Called by [`super::open`], [`super::connections`]
//! and [`super::committer`].

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::select_ok;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};

use super::open_error::OpenError;

/// The supported parameters of a URL. Others are refused, because a misspelt one would have no
/// effect.
const PARAMETERS: [&str; 8] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "application_name", ATTRIBUTES];
/// The parameter that selects one of several servers.
const ATTRIBUTES: &str = "target_session_attrs";
/// The accepted values of [`ATTRIBUTES`]. Even with `any` only the primary is used, because Duet
/// writes.
const WRITABLE: [&str; 3] = ["any", "read-write", "primary"];

/// The servers of a URL. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Servers(Arc<State>);

struct State {
    all: Vec<PgConnectOptions>,
    /// The index of the last known primary.
    current: AtomicUsize,
    /// Whether each new connection is checked for writability. Needed if the primary can change.
    checks_writable: bool,
}

impl Servers {
    /// Parses a URL. Applies `change` to the options of each server.
    pub(in crate::store) fn of(
        url: &str,
        change: impl Fn(PgConnectOptions) -> PgConnectOptions,
    ) -> Result<Self, OpenError> {
        let parts = Parts::of(url)?;
        let mut all = Vec::new();
        for one in parts.urls() {
            all.push(change(options(&one, &parts.names())?));
        }
        let checks_writable = all.len() > 1 || parts.names().contains(&ATTRIBUTES);
        Ok(Self(Arc::new(State { all, current: AtomicUsize::new(0), checks_writable })))
    }

    /// The last known primary.
    pub(super) fn current(&self) -> (usize, &PgConnectOptions) {
        let at = self.0.current.load(Ordering::Acquire);
        (at, &self.0.all[at])
    }

    pub(super) fn set_current(&self, at: usize) {
        self.0.current.store(at, Ordering::Release);
    }

    pub(super) fn are_several(&self) -> bool {
        self.0.all.len() > 1
    }

    pub(super) fn all(&self) -> &[PgConnectOptions] {
        &self.0.all
    }

    /// Connects to the current primary, which may be another server than before.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        if !self.are_several() {
            return self.connect_to(0).await;
        }
        let each = (0..self.0.all.len()).map(|at| {
            Box::pin(async move { self.connect_to(at).await.map(|connection| (at, connection)) })
        });
        let ((at, connection), _) = select_ok(each).await?;
        self.set_current(at);
        Ok(connection)
    }

    /// Connects to one server, and fails if it is read-only.
    pub(super) async fn connect_to(&self, at: usize) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.0.all[at].connect().await?;
        if self.0.checks_writable && !is_writable(&mut connection).await? {
            // The connection is not used, even if closing it fails.
            let _ = connection.close().await;
            return Err(read_only_error());
        }
        Ok(connection)
    }

    /// Fails if the server of a pooled connection is read-only.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self.0.checks_writable && !is_writable(connection).await? {
            true => Err(read_only_error()),
            false => Ok(()),
        }
    }
}

fn read_only_error() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::ReadOnlyFilesystem,
        "it is a standby, which only reads",
    ))
}

async fn is_writable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Uses the simple query protocol, because a pooler may not support prepared statements.
    let setting = sqlx::raw_sql("select current_setting('transaction_read_only')");
    Ok(setting.fetch_one(connection).await?.try_get::<String, _>(0)? == "off")
}

/// The parts of a URL that may name several servers.
struct Parts<'a> {
    scheme: &'a str,
    /// The user name and password, with the `@`.
    user: &'a str,
    hosts: Vec<&'a str>,
    /// The database, with the leading slash.
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, OpenError> {
        let wrong = |why: String| OpenError::Url(why);
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| wrong("it has no host".to_owned()))?;
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = location.split_at(location.find('/').unwrap_or(location.len()));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let mut parts = Self {
            scheme,
            user,
            hosts: hosts.split(',').collect(),
            path,
            parameters: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .collect(),
        };
        if let Some((unknown, _)) =
            parts.parameters.iter().find(|(name, _)| !PARAMETERS.contains(name))
        {
            return Err(wrong(format!("it has no parameter {unknown}")));
        }
        if let Some(attributes) = parts.parameter(ATTRIBUTES)
            && !WRITABLE.contains(&attributes)
        {
            return Err(wrong(format!(
                "{ATTRIBUTES}={attributes} asks for a server that need not take writes, and Duet \
                 writes: take read-write"
            )));
        }
        parts.read_lists()?;
        Ok(parts)
    }

    /// Checks the other syntax for several servers, `host=one,two&port=5432,5433`.
    fn read_lists(&mut self) -> Result<(), OpenError> {
        let Some(hosts) = self.parameter("host").filter(|hosts| hosts.contains(',')) else {
            return match self.parameter("port").filter(|ports| ports.contains(',')) {
                Some(_) => Err(OpenError::Url("it has several ports for one host".to_owned())),
                None => Ok(()),
            };
        };
        let count = hosts.split(',').count();
        let ports = self.parameter("port").map(|ports| ports.split(',').count());
        if ports.is_some_and(|ports| ports != 1 && ports != count) {
            return Err(OpenError::Url("it has not as many ports as hosts".to_owned()));
        }
        Ok(())
    }

    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    fn names(&self) -> Vec<&'a str> {
        self.parameters.iter().map(|(name, _)| *name).collect()
    }

    /// One URL for each server.
    fn urls(&self) -> Vec<String> {
        let listed = self.parameter("host").map_or(1, |hosts| hosts.split(',').count());
        let one = |host: &str, at: usize| {
            let parameter = |(name, value): &(&str, &str)| {
                let own = match *name {
                    ATTRIBUTES => return None,
                    "host" | "port" if value.contains(',') => value.split(',').nth(at)?,
                    _ => value,
                };
                Some(format!("{name}={own}"))
            };
            let parameters: Vec<String> = self.parameters.iter().filter_map(parameter).collect();
            let query = if parameters.is_empty() { "" } else { "?" };
            let Self { scheme, user, path, .. } = self;
            format!("{scheme}://{user}{host}{path}{query}{}", parameters.join("&"))
        };
        match self.hosts.len() {
            1 => (0..listed).map(|at| one(self.hosts[0], at)).collect(),
            _ => self.hosts.iter().enumerate().map(|(at, host)| one(host, at)).collect(),
        }
    }
}

/// The connection options of one server's URL. `names` are the names of the URL's parameters.
fn options(url: &str, names: &[&str]) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| match error {
        sqlx::Error::Configuration(why) => OpenError::Url(why.to_string()),
        other => OpenError::Url(other.to_string()),
    })?;
    let verifies = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if names.contains(&"sslrootcert") && !verifies {
        return Err(OpenError::Url(
            "sslrootcert is looked at with sslmode=verify-full only".into(),
        ));
    }
    if !verifies && options.get_socket().is_none() && !is_this_machine(options.get_host()) {
        tracing::warn!(
            host = options.get_host(),
            "the database's certificate is not verified: whoever is on the way can read and change \
             everything. Add sslmode=verify-full to the database URL"
        );
    }
    // A pooler may refuse a connection with this parameter, and no statement returns floating point
    // numbers that need it.
    let options = options.extra_float_digits(None);
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("duet"),
    })
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The address of a server, for error messages.
pub(super) fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(url: &str) -> Vec<String> {
        let servers = Servers::of(url, |options| options).unwrap_or_else(|e| panic!("{url}: {e}"));
        servers.all().iter().map(address).collect()
    }

    #[test]
    fn a_url_may_name_several_servers() {
        let cases: [(&str, &[&str]); 7] = [
            ("postgres://db/duet", &["db:5432"]),
            (
                "postgres://u:p@one:1,two:2/duet?target_session_attrs=read-write",
                &["one:1", "two:2"],
            ),
            ("postgres://u:p,q@one,two:2/duet?sslmode=require", &["one:5432", "two:2"]),
            (
                "postgres://u@[::1]:7,[::2]/duet?target_session_attrs=primary",
                &["[::1]:7", "[::2]:5432"],
            ),
            ("postgres:///duet?host=one,two&port=1,2", &["one:1", "two:2"]),
            ("postgres:///duet?host=one,two&port=9&target_session_attrs=any", &["one:9", "two:9"]),
            ("postgres:///duet?host=/run/postgresql", &["/run/postgresql"]),
        ];
        for (url, expected) in cases {
            assert_eq!(addresses(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let cases = [
            ("postgres://one,two/duet?target_session_attrs=standby", "take read-write"),
            ("postgres://one,two/duet?target_session_atrs=any", "no parameter target_session_atrs"),
            ("postgres:///duet?host=one,two&port=1,2,3", "not as many ports as hosts"),
            ("postgres://one/duet?port=1,2", "several ports for one host"),
            ("postgres:duet", "it has no host"),
            ("postgres://one:port,two/duet", "wrong"),
        ];
        for (url, expected) in cases {
            let said = Servers::of(url, |options| options).err().expect(url).to_string();
            assert!(said.contains(expected), "{url}: {said}");
        }
    }
}
