import type { Page } from "@playwright/test";
import { median } from "./statistics";

/** Milliseconds of the reference work on an idle machine of the speed that the budgets assume. */
const REFERENCE = { work: 20, loading: 125 };

/** The CPU throttling rate of `REFERENCE.loading` and of the budget of a live page. */
export const THROTTLED = 4;

/** A fixed amount of work like a page's: text, maps, sorting. Uses no outer variables, because pages run it too. */
function turn(): number {
  const work = () => {
    const started = performance.now();
    const words = new Map<string, number>();
    for (let index = 0; index < 20_000; index += 1) {
      const word = `${(index * 7919) % 10_007}:${index % 13}`;
      words.set(word, (words.get(word) ?? 0) + 1);
    }
    const sorted = [...words].sort(([one], [other]) => (one < other ? -1 : 1));
    if (sorted.length === 0) throw new Error("no work was done");
    return performance.now() - started;
  };
  work(); // The first run only compiles the function.
  return work();
}

/**
 * The speed of the machine in relation to a reference machine. Measured times are divided by it.
 *
 * The same work runs between the measurements; if it takes twice its reference time, the page may take twice its budget. A faster
 * machine gets no stricter budget, because a budget is the time that a user waits.
 */
export class MachineSpeed {
  private readonly samples: number[] = [];

  /** Works in this process, for measurements of the server. */
  inProcess(): void {
    this.samples.push(turn() / REFERENCE.work);
  }

  /** Works in the page, for measurements of a loaded page. */
  async inPage(page: Page): Promise<void> {
    this.samples.push((await page.evaluate(turn)) / REFERENCE.work);
  }

  /** Fetches and compiles Duet's WASM and works in the page, for measurements of page loads, which involve several processes. */
  async loading(page: Page, wasm: string): Promise<void> {
    const took = await page.evaluate(async (address) => {
      const started = performance.now();
      await WebAssembly.compileStreaming(fetch(address));
      return performance.now() - started;
    }, wasm);
    this.samples.push((took + (await page.evaluate(turn))) / REFERENCE.loading);
  }

  /** At least 1. */
  slowness(): number {
    if (this.samples.length < 3) throw new Error("the speed of the machine was measured fewer than three times");
    const measured = median(this.samples);
    console.log(`      the machine was ${measured.toFixed(2)} times as slow as the reference machine`);
    return Math.max(1, measured);
  }
}
