import { expect, type Locator, type Page } from "@playwright/test";

/** Waits until the page is live: before that, its buttons have no handlers. */
export async function ready(page: Page): Promise<void> {
  await expect(page.locator("html")).toHaveAttribute("data-hydrated", "true", { timeout: 60_000 });
}

/** Waits until an open layer (a menu, a dialog, the results of a search) has its history entry, which Back removes. */
export async function expectLayer(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => history.state)).toBe("layer");
}

/** Waits until a closed layer has removed its history entry, because the removal would cancel another navigation. */
export async function expectNoLayer(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => history.state)).not.toBe("layer");
}

/** Creates an invitation on its page, and returns the address of the invitation. */
export async function createInvitation(page: Page): Promise<string> {
  await page.goto("/invite");
  await ready(page);
  const link = page.getByRole("textbox", { name: "Invitation link" });
  await expect(link).toHaveValue(/\/invite\/[\w-]{43}$/);
  return link.inputValue();
}

/** The accessibility tree of a part of the page, as text. */
export async function ariaSnapshot(part: Locator): Promise<string> {
  return part.ariaSnapshot();
}

export class SignUpPage {
  readonly username: Locator;
  readonly displayName: Locator;
  readonly password: Locator;
  readonly create: Locator;

  constructor(readonly page: Page) {
    this.username = page.getByLabel("Username");
    this.displayName = page.getByLabel("Your name");
    this.password = page.getByLabel("Password", { exact: true });
    this.create = page.getByRole("button", { name: "Create account" });
  }

  async goto(): Promise<void> {
    await this.page.goto("/sign-up");
  }

  async submit(username: string, displayName: string, password: string): Promise<void> {
    await this.displayName.fill(displayName);
    await this.username.fill(username);
    await this.password.fill(password);
    await this.create.click();
  }
}

export class SignInPage {
  readonly username: Locator;
  readonly password: Locator;
  readonly signIn: Locator;

  constructor(readonly page: Page) {
    this.username = page.getByLabel("Username");
    this.password = page.getByLabel("Password", { exact: true });
    this.signIn = page.getByRole("button", { name: "Sign in", exact: true });
  }

  async goto(): Promise<void> {
    await this.page.goto("/sign-in");
  }

  async submit(username: string, password: string): Promise<void> {
    await this.username.fill(username);
    await this.password.fill(password);
    await this.signIn.click();
  }
}

/** The description and the error message of a form field. */
export async function fieldMessage(field: Locator): Promise<string> {
  return field.evaluate((element) => {
    const ids = ["aria-errormessage", "aria-describedby"].flatMap((name) => element.getAttribute(name)?.split(" ") ?? []);
    return ids.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  });
}

export class HomePage {
  readonly list: Locator;
  readonly search: Locator;
  /** The link to the requests, while there are any. */
  readonly requests: Locator;

  constructor(readonly page: Page) {
    this.requests = page.getByRole("link", { name: /\d+ requests?$/ });
    this.list = page.getByRole("navigation", { name: "Conversations" });
    this.search = page.getByRole("combobox", { name: "Find a person" });
  }

  /** The entry of a conversation in the list. */
  entry(name: string): Locator {
    return this.list.getByRole("link").filter({ hasText: name });
  }

  /** Waits until a conversation's entry shows this unread count. */
  async expectUnread(name: string, count: number): Promise<void> {
    const unread = async () => Number((await ariaSnapshot(this.entry(name))).match(/(\d+) unread/)?.[1] ?? 0);
    await expect.poll(unread, { message: `unread messages of ${name}` }).toBe(count);
  }

  /** A person among the results of the search. */
  result(name: string): Locator {
    return this.page.getByRole("option").filter({ hasText: name });
  }

  async find(name: string): Promise<ConversationPage> {
    await this.search.fill(name);
    await this.result(name).click();
    await this.page.waitForURL(/\/c\//);
    return new ConversationPage(this.page, name);
  }

  async signOut(): Promise<void> {
    await signOutOf(this.page).click();
    await this.page.waitForURL(/\/sign-in/);
  }
}

export function signOutOf(page: Page): Locator {
  return page.getByRole("button", { name: "Sign out" }).or(page.getByRole("menuitem", { name: "Sign out" }));
}

export class ConversationPage {
  readonly heading: Locator;
  readonly log: Locator;
  readonly box: Locator;
  readonly send: Locator;

  constructor(
    readonly page: Page,
    readonly peer: string,
  ) {
    this.heading = page.getByRole("heading", { name: peer });
    this.log = page.getByRole("log", { name: `Conversation with ${peer}` });
    this.box = page.getByRole("textbox", { name: "Message" });
    this.send = page.getByRole("button", { name: "Send", exact: true });
  }

  get id(): string {
    return new URL(this.page.url()).pathname.replace("/c/", "");
  }

  get messages(): Locator {
    return this.log.getByRole("article");
  }

  message(body: string): Locator {
    return this.messages.filter({ hasText: body });
  }

  /** The unread divider, with this count. */
  divider(count: number): Locator {
    const text = `${count} new message${count === 1 ? "" : "s"}`;
    return this.log.getByRole("separator", { name: text }).or(this.log.getByRole("separator").filter({ hasText: text }));
  }

  async write(body: string): Promise<void> {
    await this.box.fill(body);
    await this.box.press("Enter");
  }

  /**
   * Waits until a message of this user is in a state. After ten seconds without a socket the page sends by HTTP, so a longer bound
   * would accept a page that never connects.
   */
  async expectState(body: string, state: State, timeout = 10_000): Promise<void> {
    await expect.poll(() => this.state(body), { message: `state of "${body}"`, timeout }).toBe(state);
  }

  /** Waits until the server has stored a message of this user. */
  async expectStored(body: string, timeout = 10_000): Promise<void> {
    await expect.poll(() => this.state(body), { message: `state of "${body}"`, timeout }).toMatch(/^(sent|delivered|read)$/);
  }

  private async state(body: string): Promise<string> {
    const text = (await ariaSnapshot(this.message(body))).replaceAll(body, "");
    return text.match(/not sent|sending|sent|delivered|read/i)?.[0].toLowerCase() ?? "none";
  }

  /** The messages in the order in which they are shown, each replaced by the body in `bodies` that it contains. */
  async order(...bodies: string[]): Promise<string[]> {
    const texts = await this.messages.allTextContents();
    return texts.map((text) => bodies.find((body) => text.includes(body)) ?? text);
  }

  /** Waits until the browser's storage contains the draft, so that it survives a crash. */
  async expectDraftStored(draft: string): Promise<void> {
    await expect.poll(() => this.page.evaluate(() => JSON.stringify({ ...localStorage }))).toContain(draft);
  }

  /** Waits until exactly these bodies are shown, in this order. */
  async expectBodies(...bodies: string[]): Promise<void> {
    await expect(this.messages).toContainText(bodies);
    await expect(this.messages).toHaveCount(bodies.length);
  }
}

/** Waits until two pages show exactly these bodies, in the same order. */
export async function expectSameOrder(one: ConversationPage, other: ConversationPage, bodies: string[], timeout?: number): Promise<void> {
  await expect(async () => {
    const order = await one.order(...bodies);
    expect([...order].sort()).toEqual([...bodies].sort());
    expect(await other.order(...bodies)).toEqual(order);
  }).toPass({ timeout });
}

export type State = "sending" | "sent" | "delivered" | "read" | "not sent";
