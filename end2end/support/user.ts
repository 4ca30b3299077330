import { randomBytes } from "node:crypto";
import { type APIRequestContext, type BrowserContext, expect, type Page, request } from "@playwright/test";
import { ConversationPage, HomePage, ready } from "./pages";

/** A server, a node or a proxy that a browser can open. */
export interface Site {
  readonly url: string;
}

/** A user with an account and a browser context. Methods named `api…` prepare a test; they are not tested. */
export class User {
  #headers?: Promise<Record<string, string>>;

  private constructor(
    readonly name: string,
    readonly username: string,
    readonly password: string,
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly server: Site,
  ) {}

  static async create(name: string, context: BrowserContext, server: Site): Promise<User> {
    const username = name.toLowerCase().replace(/[^a-z]+/g, ".");
    const user = new User(name, username, `${username} likes long walks`, context, await context.newPage(), server);
    await user.apiPost("sign_up", { username, display_name: name, password: user.password });
    return user;
  }

  async home(page = this.page): Promise<HomePage> {
    await page.goto("/");
    await ready(page);
    return new HomePage(page);
  }

  /** Opens a conversation by its address. */
  async open(conversation: string, peer: User, page = this.page): Promise<ConversationPage> {
    await page.goto(`/c/${conversation}`);
    await ready(page);
    return new ConversationPage(page, peer.name);
  }

  /** Another tab of the same browser. */
  tab(): Promise<Page> {
    return this.context.newPage();
  }

  /** Returns the id of the conversation with a peer, which both have accepted; creates the conversation if necessary. */
  async apiConversation(peer: User): Promise<string> {
    const id = await this.apiOpen(peer);
    for (const user of [this, peer]) await user.apiAccept(id);
    return id;
  }

  /** Accepts a request, or the conversation before its first message. */
  async apiAccept(id: string): Promise<void> {
    await this.apiPost("accept_request", { id });
  }

  /** Opens the conversation with a peer who does not know this user. */
  async apiOpen(peer: User): Promise<string> {
    const found = await this.apiPost("find_people", { typed: peer.username }, "json");
    const people = (await found.json()) as { user: { id: string; username: string } }[];
    const id = people.find(({ user }) => user.username === peer.username)?.user.id ?? "";
    const opened = await this.apiPost("open_conversation", { peer: id });
    return (await opened.json()) as string;
  }

  /** The user's id, with which others open a conversation. */
  async apiId(): Promise<string> {
    const settings = await this.apiPost("get_settings", {}, "json");
    return ((await settings.json()) as { user: { id: string } }).user.id;
  }

  async apiSend(conversation: string, ...bodies: string[]): Promise<void> {
    for (const body of bodies) await this.apiPost("send_message", { conversation, client_id: uuid7(), body });
  }

  /** Sends a message without the browser, because traces of very many requests cost more than the requests. */
  async apiSendDirectly(conversation: string, body: string): Promise<void> {
    this.#headers ??= this.context.cookies().then((cookies) => ({
      Accept: "application/json",
      Origin: this.server.url,
      Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
    }));
    const form = new URLSearchParams({ conversation, client_id: uuid7(), body });
    const answer = await fetch(`${this.server.url}/api/send_message`, { method: "POST", headers: await this.#headers, body: form });
    expect(answer.status, await answer.text()).toBe(200);
  }

  /** Marks all messages up to a seq as read. */
  async apiRead(conversation: string, upTo: number): Promise<void> {
    await this.apiPost("mark_conversation", { id: conversation, delivered: String(upTo), read: String(upTo) });
  }

  /** Ends this browser's session on the server, or at another node. The browser keeps the cookie, which is invalid from now on. */
  async apiEndSession(at: Site = this.server): Promise<void> {
    const elsewhere = await request.newContext({ baseURL: at.url, storageState: await this.context.storageState() });
    await this.apiPost("sign_out", {}, "form", elsewhere, at);
    await elsewhere.dispose();
  }

  private async apiPost(
    name: string,
    fields: Record<string, string>,
    encoding: "form" | "json" = "form",
    through: APIRequestContext = this.context.request,
    at: Site = this.server,
  ) {
    const headers = { Accept: "application/json", Origin: at.url };
    const body = encoding === "form" ? { form: fields } : { data: fields };
    const answer = await through.post(`${at.url}/api/${name}`, { headers, ...body });
    expect(answer.status(), `${name}: ${await answer.text()}`).toBe(200);
    return answer;
  }
}

/**
 * Sends many messages, with the senders in turn. Forty requests run at a time, so neighbouring messages may swap their order; each
 * message is stored once.
 */
export async function fillConversation(conversation: string, people: User[], bodies: string[]): Promise<void> {
  const rest = bodies.entries();
  const send = async () => {
    for (const [index, body] of rest) await people[index % people.length]?.apiSendDirectly(conversation, body);
  };
  await Promise.all(Array.from({ length: 40 }, send));
}

/** A UUID of version 7, like the page's client ids. */
function uuid7(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes.readUInt8(6) & 0x0f);
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
