import { expect } from "@playwright/test";
import type { Site } from "./user";

/** A user without a browser: sends calls over HTTP. */
export class ApiUser {
  private cookie = "";

  private constructor(
    private readonly server: Site,
    readonly name: string,
  ) {}

  static async create(server: Site, name: string, displayName = name): Promise<ApiUser> {
    const user = new ApiUser(server, name);
    await user.call("sign_up", { username: name, display_name: displayName, password: `${name} likes long walks` });
    return user;
  }

  /** The user's id, with which others open a conversation. */
  async id(): Promise<string> {
    const { user } = (await this.call("get_settings", "{}")) as { user: { id: string } };
    return user.id;
  }

  /** Sends a form's fields, or JSON. */
  async call(name: string, given: Record<string, string> | string): Promise<unknown> {
    const json = typeof given === "string" ? { "Content-Type": "application/json" } : undefined;
    const headers = { Accept: "application/json", Origin: this.server.url, Cookie: this.cookie, ...json };
    const body = typeof given === "string" ? given : new URLSearchParams(given);
    const answer = await fetch(`${this.server.url}/api/${name}`, { method: "POST", headers, body });
    const text = await answer.text();
    expect(answer.status, `${name}: ${text}`).toBe(200);
    this.cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? this.cookie;
    return JSON.parse(text);
  }

  /** Returns the id of the conversation with a peer, given by the peer's id; creates the conversation if necessary. */
  async openConversation(peer: string): Promise<string> {
    return (await this.call("open_conversation", { peer })) as string;
  }

  async send(conversation: string, body: string): Promise<void> {
    await this.call("send_message", { conversation, client_id: crypto.randomUUID(), body });
  }
}
