//! Creates a certificate authority, and a certificate signed by it for a private server, with
//! `openssl`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::postgres::run_command;

/// The files in the server's directory.
pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const CERTIFICATE: &str = "server.pem";
pub(crate) const KEY: &str = "server.key";

/// The addresses of a Postgres with TLS. Its certificate does not cover the second one.
pub(crate) const ADDRESSES: &str = "127.0.0.1,127.0.0.2";

/// Creates all three files.
pub(crate) fn make_certificates(directory: &Path) -> Result<()> {
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(directory);
        run_command(&mut command).context("tests with TLS need openssl: apt-get install openssl")
    };
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority = ["req", "-x509", "-days", "30", "-subj", "/CN=Duet tests", "-out", AUTHORITY];
    openssl(&[&authority[..], &["-keyout", "authority.key"], &new_key].concat())?;
    let request = ["req", "-new", "-subj", "/CN=localhost", "-out", "server.csr", "-keyout", KEY];
    openssl(&[&request[..], &new_key].concat())?;
    std::fs::write(directory.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
    let sign = ["x509", "-req", "-days", "30", "-in", "server.csr", "-extfile", "names"];
    let signer = ["-CA", AUTHORITY, "-CAkey", "authority.key", "-CAcreateserial"];
    openssl(&[&sign[..], &signer, &["-out", CERTIFICATE]].concat()).map(drop)
}
