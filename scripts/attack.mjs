// Attacks release servers of its own with public tools, on loopback: slowhttptest with 1,000 slow connections in four
// ways, wapiti and sqlmap. Beside the slow connections, a visitor with another address opens the sign-in page twice a
// second. Fails if that visitor is refused or waits too long, if a scanner finds something, or if a server ends. `make
// attack` calls this file with the names of the attacks, or with none for all.

import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

// Longest wait of the visitor. The attackers share the machine's cores with the server.
const MOST_WAIT_MS = 2_000;
const SLOW_SECONDS = 30;
const SCAN_SECONDS = 240;
const PASSWORD = "tulip-Harbor-92-meadow";
const ATTACKER = "127.0.0.1";
const VISITOR = "127.0.0.2";

const home = mkdtempSync(path.join(tmpdir(), "duet-attack-"));

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, ATTACKER, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Sends one request; resolves to the status, headers and time, and to the status 0 if there was no answer.
function send(url, { from = ATTACKER, method = "GET", headers = {}, body } = {}) {
  const began = performance.now();
  return new Promise((resolve) => {
    const done = (status, answered = {}) => resolve({ status, headers: answered, took: performance.now() - began });
    const sent = request(url, { method, headers, localAddress: from, agent: false, timeout: 30_000 }, (answer) => {
      answer.on("end", () => done(answer.statusCode, answer.headers)).on("error", () => done(0)).resume();
    });
    sent.on("timeout", () => sent.destroy()).on("error", () => done(0)).end(body);
  });
}

// Starts a server with its own store; each attack needs one, because attacks use up limits.
async function withServer(attack) {
  const port = await freePort();
  const url = `http://${ATTACKER}:${port}`;
  const log = path.join(home, `duet-${port}.log`);
  const out = openSync(log, "w");
  const env = { ...process.env, DUET_DATA: path.join(home, `data-${port}`), DUET_LISTEN: `${ATTACKER}:${port}`, DUET_REGISTRATION: "open" };
  const server = spawn("target/release/duet", [], { env, stdio: ["ignore", out, out] });
  closeSync(out);
  const ended = new Promise((resolve) => server.on("exit", resolve));
  try {
    while ((await send(`${url}/readyz`)).status !== 200) {
      if (server.exitCode !== null) throw new Error(readFileSync(log, "utf8"));
      await pause(100);
    }
    await attack(url);
    if (server.exitCode !== null) report("server", false, `ended with ${server.exitCode}`);
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
}

let failed = false;
function report(name, kept, text) {
  console.log(`attack: ${name.padEnd(14)} ${kept ? "kept" : "BROKEN"}: ${text}`);
  failed ||= !kept;
}

// Runs a tool and resolves to its output, also where the tool reports a finding by its exit code.
function run(tool, args) {
  const child = spawn(tool, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  const ended = new Promise((resolve, reject) => child.on("error", reject).on("exit", () => resolve(output)));
  return { child, ended };
}

async function slow(name, target, ...options) {
  await withServer(async (url) => {
    const common = ["-c", "1000", "-r", "200", "-l", String(SLOW_SECONDS), "-v", "1", "-u", url + target];
    const { child, ended } = run("slowhttptest", [...common, ...options]);
    const visits = [];
    const until = performance.now() + SLOW_SECONDS * 1_000;
    while (performance.now() < until) {
      visits.push(await send(`${url}/sign-in`, { from: VISITOR }));
      await pause(500);
    }
    child.kill("SIGTERM");
    await ended;
    const refused = visits.filter(({ status }) => status !== 200).length;
    const longest = Math.round(Math.max(...visits.map(({ took }) => took)));
    const kept = refused === 0 && longest <= MOST_WAIT_MS;
    report(name, kept, `${visits.length} visits, ${refused} refused, the longest ${longest} ms (at most ${MOST_WAIT_MS})`);
  });
}

// Signs two users up and returns the first one's cookies and the ids that a scanner needs.
async function signUp(url) {
  const form = (fields) => ({
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", origin: url },
    body: new URLSearchParams(fields).toString(),
  });
  const cookies = [];
  for (const username of ["attacker", "visitor"]) {
    const { status, headers } = await send(`${url}/api/sign_up`, form({ username, display_name: "", password: PASSWORD }));
    if (status !== 200) throw new Error(`sign-up answered ${status}`);
    cookies.push(headers["set-cookie"].map((cookie) => cookie.split(";")[0]).join("; "));
  }
  return cookies[0];
}

// The categories of wapiti that Duet answers on purpose, each with the reason.
const EXPECTED = {
  "Content Security Policy Configuration": "the policy allows 'wasm-unsafe-eval', without which no browser compiles WebAssembly",
  "Secure Flag cookie": "the attacked server has no https; over https its cookies are `Secure`",
  "HTTP Secure Headers": "HSTS is sent over https only",
};

async function wapiti() {
  await withServer(async (url) => {
    const cookie = await signUp(url);
    const file = path.join(home, "wapiti.json");
    const modules = "blindsql,cookieflags,crlf,csp,exec,file,http_headers,methods,permanentxss,redirect,sql,ssrf,xss,xxe";
    const { ended } = run("wapiti", [
      ...["-u", `${url}/`, "-m", modules, "-H", `Cookie: ${cookie}`, "--max-scan-time", String(SCAN_SECONDS)],
      ...["--max-attack-time", "60", "-x", `${url}/sign-out`, "-x", `${url}/settings/delete`],
      ...["--flush-session", "--store-session", home, "-f", "json", "-o", file, "--no-bugreport"],
    ]);
    await ended;
    const { vulnerabilities, anomalies, infos } = JSON.parse(readFileSync(file, "utf8"));
    const found = Object.entries({ ...vulnerabilities, ...anomalies }).filter(([kind, list]) => list.length > 0 && !EXPECTED[kind]);
    const text = found.map(([kind, list]) => `${kind}: ${list.map(({ method, path: at, info }) => `${method} ${at} ${info}`).join("; ")}`);
    report("wapiti", found.length === 0, text.join(" | ") || `nothing found on ${infos?.target ?? url}`);
  });
}

// Each is tried with injected parameters; the cookie is one of a signed-in user.
const INJECTED = [
  ["/sign-in", "username=attacker&password=x"],
  ["/api/sign_in", "username=attacker&password=x"],
  ["/api/free_usernames", '{"username":"attacker","display_name":"x"}'],
  ["/api/find_people", '{"typed":"vis"}'],
  ["/api/load_history", '{"id":"00000000-0000-7000-8000-000000000000","cursor":{"after":1}}'],
];

async function sqlmap() {
  for (const [target, body] of INJECTED) {
    await withServer(async (url) => {
      const cookie = await signUp(url);
      const kind = body.startsWith("{") ? "application/json" : "application/x-www-form-urlencoded";
      const { ended } = run("timeout", [
        ...[String(SCAN_SECONDS), "sqlmap", "--batch", "--level", "2", "--risk", "2", "--dbms", "SQLite", "--flush-session"],
        ...["--ignore-code", "*", "--output-dir", home, "-u", url + target, "--data", body, "--cookie", cookie],
        ...["-H", `Origin: ${url}`, "-H", `Content-Type: ${kind}`],
      ]);
      const output = await ended;
      writeFileSync(path.join(home, "sqlmap.log"), output, { flag: "a" });
      const injected = /is vulnerable|identified the following injection/.test(output);
      const finished = /do not appear to be injectable|all tested parameters/.test(output);
      report("sqlmap", !injected && finished, `${target}: ${injected ? output.slice(-600) : finished ? "not injectable" : `unfinished: ${output.slice(-300)}`}`);
    });
  }
}

const ATTACKS = {
  "slow-headers": () => slow("slow-headers", "/sign-in", "-H", "-i", "5"),
  "slow-bodies": () => slow("slow-bodies", "/sign-in", "-B", "-i", "5", "-s", "8192"),
  ranges: () => slow("ranges", "/sign-in", "-R", "-a", "5", "-b", "2000"),
  "slow-reads": () => slow("slow-reads", "/sign-up", "-X", "-n", "5", "-w", "1", "-y", "8", "-z", "4", "-k", "3"),
  wapiti,
  sqlmap,
};

const TOOLS = ["slowhttptest", "wapiti", "sqlmap"];
const missing = TOOLS.filter((tool) => spawnSync("which", [tool]).status !== 0);
if (missing.length > 0) {
  console.error(`attack: not installed: ${missing.join(", ")} (Debian; as root: apt-get install ${missing.join(" ")})`);
  process.exit(1);
}
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ATTACKS);
const unknown = names.filter((name) => !ATTACKS[name]);
if (unknown.length > 0) {
  console.error(`attack: there is no attack ${unknown.join(", ")}: ${Object.keys(ATTACKS).join(", ")}`);
  process.exit(2);
}
try {
  for (const name of names) await ATTACKS[name]();
} finally {
  rmSync(home, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
