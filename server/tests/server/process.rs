//! The binary as an operator starts it, with resource limits, variables and standard error chosen
//! by the test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;

use crate::support::{PATIENCE, PLENTY, http, site};

/// A server process that is killed on drop.
pub struct Process {
    pub address: SocketAddr,
    directory: Option<TempDir>,
    child: Child,
}

pub fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Builds a command that runs `shell` first and then replaces the shell with the binary. Removes
/// every `DUET_*` variable of the environment.
pub fn duet(directory: &Path, address: SocketAddr, shell: &str) -> Command {
    let mut command = Command::new("sh");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DUET_")) {
        command.env_remove(name);
    }
    command
        .args(["-c", &format!("{shell}\nexec \"$@\""), "sh", env!("CARGO_BIN_EXE_duet")])
        .args(PLENTY)
        .env("DUET_LISTEN", address.to_string())
        .env("DUET_DATA", directory.join("data"))
        .env("DUET_SITE", site(directory))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs a server that refuses to start. Returns its exit status and standard error.
pub fn run_to_failure(mut command: Command) -> (ExitStatus, String) {
    let output = command.stderr(Stdio::piped()).output().expect("it ends");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Process {
    /// Starts a server and waits until it is ready.
    pub async fn start(shell: &str, stderr: Stdio, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let mut command = duet(directory.path(), address, shell);
        command.envs(variables.iter().copied()).stderr(stderr);
        Self::run(command, address, directory).await
    }

    /// Runs a prepared command and waits until the server is ready.
    pub async fn run(mut command: Command, address: SocketAddr, directory: TempDir) -> Self {
        let child = command.spawn();
        let mut process =
            Self { address, directory: Some(directory), child: child.expect("it starts") };
        process.wait_until_ready().await;
        process
    }

    /// Starts a server whose standard error goes to a temporary file.
    pub async fn with_log(shell: &str, variables: &[(&str, &str)]) -> (Self, LogFile) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let stderr = Stdio::from(file.reopen().expect("a file"));
        (Self::start(shell, stderr, variables).await, LogFile(file))
    }

    async fn wait_until_ready(&mut self) {
        let (client, begun) = (http(), Instant::now());
        loop {
            let asked = client.get(self.url("/readyz")).send().await;
            if asked.is_ok_and(|response| response.status() == 200) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not ready in time");
            let ended = self.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "it ended with {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn directory(&self) -> &Path {
        self.directory.as_ref().expect("it is not taken").path()
    }

    /// Returns the server's directory; kills the server if it still runs.
    pub fn into_directory(mut self) -> TempDir {
        self.directory.take().expect("it is not taken")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("a process id");
        Pid::from_raw(id).expect("a process id")
    }

    /// Takes standard output, which must be a pipe.
    pub fn take_stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    /// Takes standard error, which must be a pipe.
    pub fn take_stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("a pipe")
    }

    /// Changes the soft limit of a resource and returns the previous limits.
    pub fn limit(&self, resource: Resource, current: Option<u64>) -> Rlimit {
        let pid = Some(self.pid());
        let before = prlimit(pid, resource, Rlimit { current, maximum: None });
        before.expect("the limit of one's own process")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits until the process has exited.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Reads a field of `/proc/PID/status`, in kibibytes.
    pub fn kibibytes(&self, name: &str) -> u64 {
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

pub struct LogFile(tempfile::NamedTempFile);

impl LogFile {
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.0.path()).expect("a file")
    }

    /// Waits until a line contains the text, because the log is written shortly after the event.
    pub async fn wait_for(&self, text: &str) -> String {
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
