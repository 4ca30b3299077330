import { test as base, type BrowserContextOptions } from "@playwright/test";
import { Person } from "./person";
import { Server, type Settings } from "./server";
import { Watch } from "./watch";

export { expect } from "@playwright/test";

interface Fixtures {
  /** The server's variables, beside those that every test needs. */
  settings: Settings;
  server: Server;
  watch: Watch;
  /** Makes somebody with an account and a browser. */
  someone: (name: string, options?: BrowserContextOptions) => Promise<Person>;
  alice: Person;
  bob: Person;
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

  someone: async ({ browser, server, watch }, use) => {
    const people: Person[] = [];
    await use(async (name, options) => {
      const context = await browser.newContext({ baseURL: server.url, ...options });
      watch.over(context);
      const person = await Person.create(name, context, server);
      people.push(person);
      return person;
    });
    for (const person of people) await person.context.close();
  },

  alice: async ({ someone }, use) => use(await someone("Alice Arden")),
  bob: async ({ someone }, use) => use(await someone("Bob Byrne")),
  conversation: async ({ alice, bob }, use) => use(await alice.apiConversation(bob)),
});
