import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { listen } from "./listen";

const root = path.join(__dirname, "../..");
/** The release build. */
export const binary = process.env.DUET_BINARY ?? path.join(root, "target/release/duet");

/** Environment variables of the server; `undefined` removes a variable, so that the server's default applies. */
export type Settings = Record<string, string | undefined>;

// Many users sign up and write from one address here.
const relaxed: Settings = {
  DUET_SIGN_UPS_PER_HOUR: "100000",
  DUET_SIGN_INS_PER_MINUTE: "100000",
  DUET_MESSAGES_PER_MINUTE: "100000",
};

/** A private server: a free port, an empty data directory, the release build. */
export class Server {
  readonly url: string;
  log = "";
  /** The program to start; a test replaces it to install another build. */
  binary = binary;
  #process?: ChildProcess;
  readonly #copies: string[] = [];

  private constructor(
    private readonly port: number,
    private readonly data: string,
    private readonly settings: Settings,
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async create(settings: Settings = {}, program = binary): Promise<Server> {
    const server = new Server(await freePort(), await mkdtemp(path.join(tmpdir(), "duet-e2e-")), settings);
    server.binary = program;
    await server.start();
    return server;
  }

  /** Starts on the same port and data as before, and returns when the server is ready. */
  async start(): Promise<void> {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DUET_")));
    const child = spawn(this.binary, [], {
      cwd: root,
      env: { ...inherited, ...relaxed, DUET_LISTEN: `127.0.0.1:${this.port}`, DUET_DATA: this.data, ...this.settings },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text: Buffer) => (this.log += text));
    const failed = once(child, "error").then(([error]) => Promise.reject(error));
    await Promise.race([this.#ready(child), failed]);
  }

  async #ready(child: ChildProcess): Promise<void> {
    for (const started = Date.now(); Date.now() - started < 60_000; await delay(25)) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.log}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
    }
    throw new Error(`the server was not ready in 60 s:\n${this.log}`);
  }

  /** Stops or kills the server, and returns when its process has exited. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  async restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  /** Copies the data directory while the server is stopped. */
  async keepCopy(): Promise<string> {
    const copy = await mkdtemp(path.join(tmpdir(), "duet-e2e-copy-"));
    await this.stop();
    await cp(this.data, copy, { recursive: true });
    await this.start();
    this.#copies.push(copy);
    return copy;
  }

  /** Restarts on a copy: of the database file alone, like a backup, or of all files, like a snapshot of the machine. */
  async putBack(copy: string, what: "database" | "everything"): Promise<void> {
    await this.stop();
    if (what === "database") {
      await copyFile(path.join(copy, "duet.db"), path.join(this.data, "duet.db"));
    } else {
      await rm(this.data, { recursive: true });
      await cp(copy, this.data, { recursive: true });
    }
    await this.start();
  }

  async destroy(): Promise<void> {
    await this.stop("SIGKILL");
    for (const directory of [this.data, ...this.#copies]) await rm(directory, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await listen(probe);
  probe.close();
  await once(probe, "close");
  return port;
}
