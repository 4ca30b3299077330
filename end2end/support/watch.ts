import type { BrowserContext } from "@playwright/test";

/** What the browser says while the server or the network is away; the last is of a part of the page that was being loaded. */
export const OUTAGE = /net::ERR_|WebSocket connection to .* failed|TypeError: Failed to fetch/;

/** What the browser says when the server refuses what a form sent. */
export const REFUSAL = /Failed to load resource: the server responded with a status of 4\d\d/;

/** Collects what must not happen on any page: errors in the console (violated policies are such) and thrown ones. */
export class Watch {
  readonly #problems: string[] = [];
  readonly #allowed: RegExp[] = [];

  over(context: BrowserContext): void {
    context.on("weberror", (error) => this.#problems.push(`thrown: ${error.error()}`));
    context.on("console", (message) => {
      if (message.type() === "error" || /hydrat/i.test(message.text())) {
        this.#problems.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
  }

  /** A test that provokes an error says which. */
  allow(...patterns: RegExp[]): void {
    this.#allowed.push(...patterns);
  }

  problems(): string[] {
    return this.#problems.filter((problem) => !this.#allowed.some((pattern) => pattern.test(problem)));
  }
}
