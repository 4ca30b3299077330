import type { Page } from "@playwright/test";
import { median } from "./statistics";

/** What a turn takes on a machine that has nothing else to do and is as quick as the budgets suppose. */
const ORDINARY = { work: 20, loading: 125 };

/** At this rate are `ORDINARY.loading` and the budget of a live page. */
export const THROTTLED = 4;

/** A fixed piece of work like a page's: text, maps, sorting. It must not use anything from outside: pages run it too. */
function turn(): number {
  const work = () => {
    const started = performance.now();
    const words = new Map<string, number>();
    for (let index = 0; index < 20_000; index += 1) {
      const word = `${(index * 7919) % 10_007}:${index % 13}`;
      words.set(word, (words.get(word) ?? 0) + 1);
    }
    const sorted = [...words].sort(([one], [other]) => (one < other ? -1 : 1));
    if (sorted.length === 0) throw new Error("nothing was done");
    return performance.now() - started;
  };
  work(); // Compiled now: a page does it for the first time.
  return work();
}

/**
 * How busy the machine is, or how slow: times that are measured are told in those of an ordinary one.
 *
 * A time alone says more of the machine than of the page. The same work is therefore done between what is measured, and where it
 * takes twice its time so may the page. On a quicker machine nothing is taken off: a budget is what somebody waits.
 */
export class Yardstick {
  private readonly turns: number[] = [];

  /** Work in this process, for what a server does. */
  here(): void {
    this.turns.push(turn() / ORDINARY.work);
  }

  /** Work in the page, for what a page does that is there. */
  async inPage(page: Page): Promise<void> {
    this.turns.push((await page.evaluate(turn)) / ORDINARY.work);
  }

  /** Fetching and compiling Duet's WASM, and work, for what loading a page does: several processes are in it. */
  async loading(page: Page, wasm: string): Promise<void> {
    const took = await page.evaluate(async (address) => {
      const started = performance.now();
      await WebAssembly.compileStreaming(fetch(address));
      return performance.now() - started;
    }, wasm);
    this.turns.push((took + (await page.evaluate(turn))) / ORDINARY.loading);
  }

  /** At least 1. */
  slowness(): number {
    if (this.turns.length < 3) throw new Error("the yardstick was held up fewer than three times");
    const measured = median(this.turns);
    console.log(`      the machine was ${measured.toFixed(2)} times as slow as an ordinary one`);
    return Math.max(1, measured);
  }
}
