import { test as base } from "../support/test";
import { Firefox } from "./firefox";
import { Processes } from "./processes";
import type { Tab } from "./tab";
import { WebKit } from "./webkit";

export { expect } from "../support/test";

const STARTS: Record<string, (processes: Processes) => Promise<Tab>> = {
  Firefox: (processes) => Firefox.start(processes),
  WebKit: (processes) => WebKit.start(processes),
};

/** The tested engines: all, unless the set-up reports which engines it could install. */
export const ENGINES = (process.env.DUET_ENGINES ?? Object.keys(STARTS).join(" ")).split(" ");

interface Fixtures {
  /** Starts an engine. */
  start: (engine: string) => Promise<Tab>;
}

export const test = base.extend<Fixtures>({
  start: async ({ server: _ }, use) => {
    const started: Processes[] = [];
    await use(async (engine) => {
      const start = STARTS[engine];
      if (!start) throw new Error(`unknown engine: ${engine}`);
      const processes = await Processes.create();
      started.push(processes);
      return start(processes);
    });
    for (const processes of started) await processes.end();
  },
});
