import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Site } from "./user";
import { binary } from "./server";

const root = path.join(__dirname, "../..");

/** Several nodes with a private Postgres and NATS, reachable one by one or through a common address. */
export class Cluster {
  private constructor(
    /** The common address of all nodes. */
    readonly url: string,
    private readonly nodes: string[],
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async create(count: number): Promise<Cluster> {
    const program = path.join(root, "target/debug/duet-cluster");
    const options = ["--duet", binary, "--site", path.join(path.dirname(binary), "site"), "--nodes", String(count), "--obey"];
    const child = spawn(program, options, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
    const failed = once(child, "error").then(([error]) => Promise.reject(error));
    if (!child.stdout) throw new Error("no output");
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const address = async () => {
      const line = await Promise.race([lines.next(), failed]);
      if (line.done) throw new Error("the cluster did not start");
      return line.value.slice(line.value.indexOf("http://"));
    };
    const url = await address();
    const nodes: string[] = [];
    while (nodes.length < count) nodes.push(await address());
    return new Cluster(url, nodes, child, lines);
  }

  /** A single node. The first node is 1. */
  node(number: number): Site {
    const url = this.nodes[number - 1];
    if (url === undefined) throw new Error(`there is no node ${number}`);
    return { url };
  }

  /** Kills a node like a crash, stops it in order, or starts it again. */
  async command(verb: "kill" | "stop" | "start", node: number): Promise<void> {
    this.child.stdin?.write(`${verb} ${node}\n`);
    const { value } = await this.lines.next();
    if (value !== "done") throw new Error(`${verb} ${node}: ${value}`);
  }

  async destroy(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.stdin?.end();
    await gone;
  }
}
