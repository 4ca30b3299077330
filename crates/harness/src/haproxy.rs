//! A private `HAProxy` in front of several nodes, with one address for all ready nodes and one
//! address for each node. docs/SCALING.md recommends the same configuration.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::postgres::free_port;
use crate::process_guard::{GuardedServer, find_program};

/// Broken connections time out. The nodes themselves ping their sockets.
const SETTINGS: &str = "\
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 5m
    option forwardfor
    # A retried request may be answered by another node.
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response 503
";

/// A running `HAProxy`. Killed on drop.
pub struct Haproxy {
    /// The address of all nodes.
    pub address: SocketAddr,
    /// The address of each node.
    pub each: Vec<SocketAddr>,
    _running: GuardedServer,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts `HAProxy` on a port, or on a free port, in front of the nodes.
    ///
    /// # Errors
    /// `HAProxy` is not installed (the error names the package), or does not start.
    pub fn start(port: Option<u16>, nodes: &[SocketAddr]) -> Result<Self> {
        let program = find_program("haproxy", "haproxy")?;
        let free = || -> Result<SocketAddr> { Ok(([127, 0, 0, 1], free_port()?).into()) };
        let address = match port {
            Some(port) => ([127, 0, 0, 1], port).into(),
            None => free()?,
        };
        let each = nodes.iter().map(|_| free()).collect::<Result<Vec<_>>>()?;
        let directory = tempfile::Builder::new().prefix("duet-haproxy-").tempdir()?;
        let file = directory.path().join("haproxy.cfg");
        std::fs::write(&file, configuration(address, &each, nodes)?)?;
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&file);
        let running = GuardedServer::start(command, address.port(), Some(directory.path()));
        let running = running.context("HAProxy does not start")?;
        Ok(Self { address, each, _running: running, _directory: directory })
    }
}

fn configuration(
    all: SocketAddr,
    each: &[SocketAddr],
    nodes: &[SocketAddr],
) -> Result<String, std::fmt::Error> {
    let mut text = SETTINGS.to_owned();
    write!(
        text,
        "frontend all\n    bind {all}\n    http-request disable-l7-retry unless METH_GET\n    \
         default_backend nodes\n\
         backend nodes\n    balance roundrobin\n    option httpchk GET /readyz\n    \
         default-server check inter 500 fall 1 rise 1\n"
    )?;
    for (number, node) in nodes.iter().enumerate() {
        writeln!(text, "    server node{} {node}", number + 1)?;
    }
    for (number, (own, node)) in each.iter().zip(nodes).enumerate() {
        let name = number + 1;
        // Each node has its own address, so that browsers separate its pages by origin. The header
        // is replaced, because nodes accept only the public origin.
        write!(
            text,
            "frontend only{name}\n    bind {own}\n    \
             http-request set-header Origin http://{all} if {{ req.hdr(Origin) -m found }}\n    \
             default_backend only{name}\n\
             backend only{name}\n    server node{name} {node}\n"
        )?;
    }
    Ok(text)
}
