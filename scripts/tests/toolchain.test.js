"use strict";

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");
const read = (file) => fs.readFileSync(path.join(root, file), "utf8");
const pinned = read("rust-toolchain.toml").match(/^channel = "(.*)"$/m)[1];

// A machine with only the programs that scripts/env calls, and with stand-ins for rustup and rustc.
const machine = (t, programs) => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "duet-toolchain-"));
  t.after(() => fs.rmSync(home, { recursive: true }));
  const bin = path.join(home, ".cargo/bin");
  fs.mkdirSync(bin, { recursive: true });
  for (const name of ["awk", "cat", "dirname", "mkdir", "rm", "sed"]) {
    fs.symlinkSync(spawnSync("which", [name], { encoding: "utf8" }).stdout.trim(), path.join(bin, name));
  }
  for (const [name, script] of Object.entries(programs)) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return home;
};

// Sources scripts/env and returns the selected toolchain, or "none".
const select = (home, environment = {}) => {
  const command = 'set -euo pipefail; . scripts/env; printf %s "${RUSTUP_TOOLCHAIN:-none}"';
  const env = { HOME: home, PATH: path.join(home, ".cargo/bin"), ...environment };
  const { status, stdout, stderr } = spawnSync("/bin/bash", ["-c", command], { cwd: root, encoding: "utf8", env });
  assert.equal(status, 0, stderr);
  return { toolchain: stdout, message: stderr };
};

const rustup = "echo 'stable-x86_64-unknown-linux-gnu (default)'";
const refused = "echo 'error: could not download' >&2; exit 1";

test("the default toolchain replaces a pinned one that cannot be installed, with one message", (t) => {
  const home = machine(t, { rustup, rustc: refused });
  const first = select(home);
  assert.equal(first.toolchain, "stable-x86_64-unknown-linux-gnu");
  assert.equal(first.message.trim().split("\n").length, 1);
  assert.match(first.message, new RegExp(`Rust ${pinned}.*not possible.*default toolchain`));
  assert.deepEqual(select(home), { toolchain: "stable-x86_64-unknown-linux-gnu", message: "" });
});

test("a pinned toolchain is used where it is installed", (t) => {
  const home = machine(t, { rustup, rustc: refused });
  select(home);
  fs.mkdirSync(path.join(home, ".rustup/toolchains", `${pinned}-x86_64-unknown-linux-gnu`), { recursive: true });
  assert.deepEqual(select(home), { toolchain: "none", message: "" });
});

test("a pinned toolchain is used where rustup can install it", (t) => {
  const { toolchain, message } = select(machine(t, { rustup, rustc: "echo rustc" }));
  assert.equal(toolchain, "none");
  assert.match(message, /done$/m);
});

test("Rust without rustup is used as it is", (t) => {
  assert.deepEqual(select(machine(t, { rustc: "echo rustc" })), { toolchain: "none", message: "" });
});

test("a toolchain that the user chose stays chosen", (t) => {
  const chosen = { RUSTUP_TOOLCHAIN: "nightly" };
  assert.deepEqual(select(machine(t, { rustup, rustc: refused }), chosen), { toolchain: "nightly", message: "" });
});

test("the pinned Rust is the oldest that the crates allow", () => {
  const oldest = read("Cargo.toml").match(/^rust-version = "(.*)"$/m)[1];
  assert.equal(pinned.split(".").slice(0, 2).join("."), oldest);
});
