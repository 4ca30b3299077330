import type { Browser, BrowserContext, BrowserContextOptions } from "@playwright/test";
import { type Site, User } from "./user";
import type { Watch } from "./watch";

/** Creates users with an account, each with a browser context of its own. */
export class Users {
  readonly #contexts: BrowserContext[] = [];

  constructor(
    private readonly browser: Browser,
    private readonly watch: Watch,
  ) {}

  async create(name: string, site: Site, options?: BrowserContextOptions): Promise<User> {
    const context = await this.browser.newContext({ baseURL: site.url, ...options });
    this.#contexts.push(context);
    this.watch.over(context);
    return User.create(name, context, site);
  }

  async close(): Promise<void> {
    for (const context of this.#contexts) await context.close();
  }
}
