//! The binary as an operator starts it, with resource limits, umask, variables and standard error
//! chosen by the test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;

use crate::support::{PATIENCE, PLENTY, http, site};

/// A server process that is killed on drop, also when the test fails.
pub(crate) struct Process {
    pub address: SocketAddr,
    /// The server's directory, unless the test keeps it.
    directory: Option<TempDir>,
    child: Child,
}

const DUET: &str = env!("CARGO_BIN_EXE_duet");

pub(crate) fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], harness::free_port().expect("a port")))
}

/// A command without the `DUET_*` variables of the environment and without standard input.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DUET_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// The binary with these arguments alone.
pub(crate) fn duet(arguments: &[&str]) -> Command {
    let mut command = clean(DUET);
    command.args(arguments);
    command
}

/// Builds a command that runs `shell` first and then replaces the shell with a server on this
/// directory.
pub(crate) fn server(directory: &Path, address: SocketAddr, shell: &str) -> Command {
    let mut command = clean("sh");
    command
        .args(["-c", &format!("{shell}\nexec \"$@\""), "sh", DUET])
        .args(PLENTY)
        .env("DUET_LISTEN", address.to_string())
        .env("DUET_DATA", directory.join("data"))
        .env("DUET_SITE", site(directory))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs a server that refuses to start. Returns its exit status and standard error.
pub(crate) fn run_to_failure(mut command: Command) -> (ExitStatus, String) {
    let output = command.stderr(Stdio::piped()).output().expect("it ends");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Process {
    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(shell: &str, stderr: Stdio, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let mut command = server(directory.path(), address, shell);
        command.envs(variables.iter().copied()).stderr(stderr);
        Self::run(command, address, directory).await
    }

    /// Runs a prepared command and waits until the server is ready.
    pub(crate) async fn run(mut command: Command, address: SocketAddr, directory: TempDir) -> Self {
        let child = command.spawn().expect("it starts");
        let mut process = Self { address, directory: Some(directory), child };
        process.wait_until_ready().await;
        process
    }

    /// Starts a server on a directory that the test keeps, and waits until the server is ready.
    pub(crate) async fn on(directory: &Path, address: SocketAddr) -> Self {
        let mut process = Self::begin_on(directory, address, "", &[]);
        process.wait_until_ready().await;
        process
    }

    /// Begins to start a server on a directory that the test keeps. Its log goes to the file `log`
    /// there.
    pub(crate) fn begin_on(
        directory: &Path,
        address: SocketAddr,
        shell: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let log = directory.join("log");
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let mut command = server(directory, address, shell);
        let child = command.envs(variables.iter().copied()).stderr(log).spawn();
        Self { address, directory: None, child: child.expect("it starts") }
    }

    /// Starts a server whose standard error goes to a temporary file.
    pub(crate) async fn with_log(shell: &str, variables: &[(&str, &str)]) -> (Self, LogFile) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let stderr = Stdio::from(file.reopen().expect("a file"));
        (Self::start(shell, stderr, variables).await, LogFile(file))
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        self.wait_until_ok("/readyz").await;
    }

    /// Waits until the path is answered with 200.
    pub(crate) async fn wait_until_ok(&mut self, path: &str) {
        let (client, begun) = (http(), Instant::now());
        loop {
            let asked = client.get(self.url(path)).send().await;
            if asked.is_ok_and(|response| response.status() == 200) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} was not answered in time");
            let ended = self.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "it ended with {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().expect("it is not taken").path()
    }

    /// Returns the server's directory; kills the server if it still runs.
    pub(crate) fn into_directory(mut self) -> TempDir {
        self.directory.take().expect("it is not taken")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("a process id");
        Pid::from_raw(id).expect("a process id")
    }

    /// Takes standard output, which must be a pipe.
    pub(crate) fn take_stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    /// Takes standard error, which must be a pipe.
    pub(crate) fn take_stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("a pipe")
    }

    /// Changes the soft limit of a resource and returns the previous limits.
    pub(crate) fn limit(&self, resource: Resource, current: Option<u64>) -> Rlimit {
        let pid = Some(self.pid());
        let before = prlimit(pid, resource, Rlimit { current, maximum: None });
        before.expect("the limit of one's own process")
    }

    /// Kills the server as a crash would: no destructor runs, and nothing is flushed.
    pub(crate) fn kill(mut self) {
        assert!(self.is_running(), "it ended by itself");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits until the process has exited.
    pub(crate) async fn wait_for_exit(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Reads a field of `/proc/PID/status`, in kibibytes.
    pub(crate) fn kibibytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let number = line.trim_start_matches(':').split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct LogFile(tempfile::NamedTempFile);

impl LogFile {
    #[cfg(feature = "oidc")]
    pub(crate) fn of(file: tempfile::NamedTempFile) -> Self {
        Self(file)
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.0.path()).expect("a file")
    }

    /// Waits until a line contains the text, because the log is written shortly after the event.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let log = self.text();
            if let Some(line) = log.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{text:?} is not in the log:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
