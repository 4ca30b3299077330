import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";

/** The programs that a test started, and the directory in which they keep their things. */
export class Processes {
  readonly #started: ChildProcess[] = [];
  said = "";

  private constructor(readonly directory: string) {}

  static async create(): Promise<Processes> {
    return new Processes(await mkdtemp(path.join(tmpdir(), "duet-engine-")));
  }

  /** Starts a program with a home and a fourth descriptor of its own, as the head of a group, so that its children end with it. */
  start(program: string, args: string[], variables: Record<string, string> = {}): ChildProcess {
    const environment = { ...process.env, TZ: "Asia/Kolkata", LANG: "en_GB.UTF-8", HOME: this.directory, ...variables };
    const child = spawn(program, args, { detached: true, env: environment, stdio: ["ignore", "pipe", "pipe", "pipe"] });
    child.on("error", (error) => (this.said += error));
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text: Buffer) => (this.said += text));
    this.#started.push(child);
    return child;
  }

  /** Waits until a program says something on one of its descriptors, and returns what it said. */
  async hears(child: ChildProcess, descriptor: 1 | 2 | 3, pattern: RegExp): Promise<string> {
    const stream = child.stdio[descriptor] as Readable;
    return new Promise((resolve, reject) => {
      let heard = "";
      const give = () => {
        clearTimeout(limit);
        reject(new Error(`${child.spawnfile} did not say ${pattern}:\n${this.said}`));
      };
      const limit = setTimeout(give, 60_000);
      stream.on("data", (text: Buffer) => {
        heard += text;
        const found = heard.match(pattern);
        if (!found) return;
        clearTimeout(limit);
        resolve(found[1] ?? found[0]);
      });
      child.on("exit", give);
      child.on("error", give);
    });
  }

  /** Ends all of them, the last first. */
  async end(): Promise<void> {
    for (const child of this.#started.reverse()) {
      if (child.pid === undefined) continue;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has gone by itself.
      }
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }
}
