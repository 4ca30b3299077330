import type { User } from "../support/user";
import { Proxy, type Sockets } from "../support/proxy";
import { Server } from "../support/server";
import { expect, test as base } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";

interface Fixtures {
  gateway: Proxy;
  /** Creates a user whose browser reaches the server through a proxy. */
  createUserBehindProxy: (name: string) => Promise<User>;
}

const test = base.extend<Fixtures>({
  gateway: async ({}, use) => {
    const gateway = await Proxy.create();
    const server = await Server.create({ DUET_PUBLIC_URL: gateway.url });
    gateway.to(server.url);
    await use(gateway);
    await server.destroy();
    await gateway.destroy();
  },

  createUserBehindProxy: async ({ users, gateway }, use) => use((name) => users.create(name, gateway)),
});

const blocked = /Live updates are blocked.*every 30 seconds/;
/** The console error for a refused socket. */
const REFUSED = /WebSocket connection to .* failed/;

for (const sockets of ["refuse", "strip", "hang"] as Sockets[]) {
  test(`behind a proxy that blocks sockets (${sockets}) the page shows a banner, and still sends and reads`, async ({ createUserBehindProxy, gateway, watch }) => {
    watch.allow(OUTAGE, REFUSAL, REFUSED);
    const [alice, bob] = [await createUserBehindProxy("Alice Arden"), await createUserBehindProxy("Bob Byrne")];
    const conversation = await alice.apiConversation(bob);
    const bobHere = await bob.open(conversation, alice);
    await bobHere.write("Before");
    await bobHere.expectStored("Before");

    gateway.sockets = sockets;
    const here = await alice.open(conversation, bob);
    await expect(here.page.getByText(blocked)).toBeVisible();
    await expect(here.page.getByText(/offline/)).toBeHidden();
    await here.write("By a call");
    await here.expectStored("By a call");
    await expect(bobHere.message("By a call")).toBeVisible();
    await bobHere.expectState("Before", "read");

    gateway.sockets = "pass";
    await here.page.evaluate(() => window.dispatchEvent(new Event("online")));
    await expect(here.page.getByText(blocked)).toBeHidden();
    await bobHere.write("Live again");
    await expect(here.message("Live again")).toBeVisible();
    await here.expectBodies("Before", "By a call", "Live again");
  });
}

test("messages that arrive while sockets are refused are fetched within half a minute, and marked as delivered and read", async ({ createUserBehindProxy, gateway, watch }) => {
  watch.allow(OUTAGE, REFUSAL, REFUSED);
  const [alice, bob] = [await createUserBehindProxy("Alice Arden"), await createUserBehindProxy("Bob Byrne")];
  const conversation = await alice.apiConversation(bob);
  const bobHere = await bob.open(conversation, alice);
  await bobHere.write("Before");
  await bobHere.expectStored("Before");
  gateway.sockets = "refuse";
  const here = await alice.open(conversation, bob);
  await expect(here.page.getByText(blocked)).toBeVisible();
  await bobHere.write("While sockets are refused");
  await bobHere.expectStored("While sockets are refused");
  await bobHere.expectState("While sockets are refused", "read", 60_000);
  await here.expectBodies("Before", "While sockets are refused");
});

test("an unreachable server is reported as offline, also after refused sockets", async ({ createUserBehindProxy, gateway, watch }) => {
  watch.allow(OUTAGE, REFUSAL, REFUSED, /status of 502/);
  const alice = await createUserBehindProxy("Alice Arden");
  gateway.sockets = "refuse";
  const home = await alice.home();
  await expect(home.page.getByText(blocked)).toBeVisible();
  await alice.context.setOffline(true);
  await expect(home.page.getByText(/You’re offline/)).toBeVisible({ timeout: 60_000 });
  await expect(home.page.getByText(blocked)).toBeHidden();
});
