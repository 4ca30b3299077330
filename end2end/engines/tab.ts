import { expect } from "@playwright/test";

export interface Size {
  width: number;
  height: number;
}

/** One step of the W3C's actions, which both protocols share. */
type Key = { type: "keyDown" | "keyUp"; value: string };
export type Actions = [{ type: "key"; id: string; actions: Key[] }];

/** Enter, in the private range that WebDriver sets aside for keys that are not characters. */
export const ENTER = "\uE007";

/** The only tab of a browser that was started for one test. */
export abstract class Tab {
  /** Loads a page, and returns as soon as scripts can run in the page. */
  protected abstract load(url: string): Promise<void>;
  abstract resize(size: Size): Promise<void>;
  /** Calls an async function in the page, given as text, with a text as argument and result. */
  protected abstract call(script: string, given: string): Promise<string>;
  protected abstract act(actions: Actions): Promise<void>;

  /** The errors of all pages so far. */
  readonly #problems: string[] = [];

  /** Loads a page and waits until it is live. */
  async open(url: string): Promise<void> {
    await this.#keepProblems();
    await this.load(url);
    await this.live();
  }

  async live(): Promise<void> {
    await this.until("the page is live", () => document.documentElement?.dataset.hydrated === "true");
    await this.painted();
  }

  /** Waits until the page is painted in its current state. */
  async painted(): Promise<void> {
    await this.evaluate(() => new Promise<void>((painted) => requestAnimationFrame(() => requestAnimationFrame(() => painted()))));
  }

  /** Runs a function in the page. The function must not use outer variables; arguments and result are JSON. */
  async evaluate<Given extends unknown[], Answer>(run: (...given: Given) => Answer | Promise<Answer>, ...given: Given): Promise<Answer> {
    const script = `async (given) => JSON.stringify({ answer: await (${run})(...JSON.parse(given)) })`;
    return JSON.parse(await this.call(script, JSON.stringify(given))).answer;
  }

  /** Presses the keys of a text in the focused element. */
  async type(text: string): Promise<void> {
    const actions = [...text].flatMap((value): Key[] => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]);
    await this.act([{ type: "key", id: "keyboard", actions }]);
  }

  /** Types into a field, found by its selector. */
  async fill(selector: string, text: string): Promise<void> {
    await this.evaluate((found) => document.querySelector<HTMLElement>(found)?.focus(), selector);
    await this.type(text);
  }

  /** Waits until a condition holds in the page or in the next page. */
  async until<Given extends unknown[]>(description: string, condition: (...given: Given) => boolean, ...given: Given): Promise<void> {
    await expect.poll(() => this.evaluate(condition, ...given).catch(() => "the page was unloaded"), { message: description, timeout: 60_000 }).toBe(true);
  }

  async expectText(text: string): Promise<void> {
    await this.until(`the page shows "${text}"`, (wanted) => document.body.innerText.includes(wanted), text);
  }

  async expectShown(selector: string): Promise<void> {
    const isShown = (wanted: string) => [...document.querySelectorAll(wanted)].some((element) => element.getClientRects().length > 0);
    await this.until(`${selector} is shown`, isShown, selector);
  }

  /** The errors of all pages: exceptions, console errors, policy violations. */
  async problems(): Promise<string[]> {
    await this.#keepProblems();
    return this.#problems;
  }

  // A page's errors are lost with the page.
  async #keepProblems(): Promise<void> {
    this.#problems.push(...(await this.evaluate(() => (window as { problems?: string[] }).problems?.splice(0) ?? [])));
  }
}
