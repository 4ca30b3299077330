import { test as base, type BrowserContextOptions } from "@playwright/test";
import { Server, type Settings } from "./server";
import type { User } from "./user";
import { Users } from "./users";
import { Watch } from "./watch";

export { expect } from "@playwright/test";

interface Fixtures {
  /** Environment variables of the server, in addition to those of every test. */
  settings: Settings;
  server: Server;
  watch: Watch;
  /** Creates users at any server; `createUser` creates them at the server of the test. */
  users: Users;
  /** Creates a user with an account and a browser context. */
  createUser: (name: string, options?: BrowserContextOptions) => Promise<User>;
  alice: User;
  bob: User;
  /** The id of the conversation of Alice and Bob. */
  conversation: string;
}

export const test = base.extend<Fixtures>({
  settings: [{}, { option: true }],

  server: async ({ settings }, use, info) => {
    const server = await Server.create(settings);
    await use(server);
    await server.destroy();
    if (info.status !== info.expectedStatus) await info.attach("server.log", { body: server.log, contentType: "text/plain" });
    if (server.log.includes("panicked at")) throw new Error(`the server panicked:\n${server.log}`);
  },

  baseURL: async ({ server }, use) => use(server.url),

  watch: async ({}, use) => {
    const watch = new Watch();
    await use(watch);
    if (watch.problems().length > 0) throw new Error(`the pages complained:\n${watch.problems().join("\n")}`);
  },

  context: async ({ context, watch }, use) => {
    watch.over(context);
    await use(context);
  },

  users: async ({ browser, watch }, use) => {
    const users = new Users(browser, watch);
    await use(users);
    await users.close();
  },

  createUser: async ({ users, server }, use) => use((name, options) => users.create(name, server, options)),

  alice: async ({ createUser }, use) => use(await createUser("Alice Arden")),
  bob: async ({ createUser }, use) => use(await createUser("Bob Byrne")),
  conversation: async ({ alice, bob }, use) => use(await alice.apiConversation(bob)),
});
