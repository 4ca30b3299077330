import type { BrowserContext } from "@playwright/test";

/** Console errors of the browser while the server or the network is unreachable. */
export const OUTAGE = /net::ERR_|WebSocket connection to .* failed|TypeError: Failed to fetch/;

/** The console error when the server refuses a request. */
export const REFUSAL = /Failed to load resource: the server responded with a status of 4\d\d/;

/** Collects the errors of all pages: console errors, which include policy violations, and uncaught exceptions. */
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

  /** Allows errors that a test provokes. */
  allow(...patterns: RegExp[]): void {
    this.#allowed.push(...patterns);
  }

  problems(): string[] {
    return this.#problems.filter((problem) => !this.#allowed.some((pattern) => pattern.test(problem)));
  }
}
