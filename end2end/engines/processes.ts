import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";

/** The processes that a test started, and the directory of their files. */
export class Processes {
  readonly #started: ChildProcess[] = [];
  output = "";

  private constructor(readonly directory: string) {}

  static async create(): Promise<Processes> {
    return new Processes(await mkdtemp(path.join(tmpdir(), "duet-engine-")));
  }

  /** Starts a program with its own home and fourth descriptor, as a process group leader, so that its children are killed, too. */
  start(program: string, args: string[], variables: Record<string, string> = {}): ChildProcess {
    const environment = { ...process.env, TZ: "Asia/Kolkata", LANG: "en_GB.UTF-8", HOME: this.directory, ...variables };
    const child = spawn(program, args, { detached: true, env: environment, stdio: ["ignore", "pipe", "pipe", "pipe"] });
    child.on("error", (error) => (this.output += error));
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text: Buffer) => (this.output += text));
    this.#started.push(child);
    return child;
  }

  /** Waits until a process writes text that matches the pattern, and returns the match. */
  async waitForOutput(child: ChildProcess, descriptor: 1 | 2 | 3, pattern: RegExp): Promise<string> {
    const stream = child.stdio[descriptor] as Readable;
    return new Promise((resolve, reject) => {
      let text = "";
      const fail = () => {
        clearTimeout(limit);
        reject(new Error(`${child.spawnfile} did not write ${pattern}:\n${this.output}`));
      };
      const limit = setTimeout(fail, 60_000);
      stream.on("data", (chunk: Buffer) => {
        text += chunk;
        const found = text.match(pattern);
        if (!found) return;
        clearTimeout(limit);
        resolve(found[1] ?? found[0]);
      });
      child.on("exit", fail);
      child.on("error", fail);
    });
  }

  /** Kills all processes, the last first. */
  async end(): Promise<void> {
    for (const child of this.#started.reverse()) {
      if (child.pid === undefined) continue;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // The process has already exited.
      }
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }
}
