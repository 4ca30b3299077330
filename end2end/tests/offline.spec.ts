import type { Page } from "@playwright/test";
import { recordAppearances } from "../support/appearances";
import { hold } from "../support/hold";
import { ConversationPage, HomePage, ready, signOutOf } from "../support/pages";
import { Server } from "../support/server";
import { TcpProxy } from "../support/tcp-proxy";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

const OFFLINE = /offline/i;

function offlineBanner(page: Page) {
  return page.getByRole("status").filter({ hasText: OFFLINE });
}

function tryAgain(page: Page) {
  return page.getByRole("main").getByRole("button", { name: "Try again" });
}

/** Waits until the page is connected: it sends a message only then. */
async function expectConnected(here: ConversationPage, body = "Is this on?"): Promise<void> {
  await here.write(body);
  await here.expectStored(body);
}

/**
 * Makes the page measure the time from an event of its window until its offline banner appears. The returned function waits for the
 * banner and returns the milliseconds.
 */
async function measureOfflineBanner(page: Page, event: string): Promise<() => Promise<number>> {
  await page.evaluate((event) => {
    const measured = new Promise<number>((resolve) => {
      addEventListener(event, () => {
        const from = performance.now();
        const isShown = () => [...document.querySelectorAll(".banner")].some((banner) => banner.getClientRects().length > 0 && /offline/i.test(banner.textContent ?? ""));
        const look = () => isShown() && resolve(performance.now() - from);
        new MutationObserver(look).observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
      });
    });
    Object.assign(window, { measured });
  }, event);
  return () => page.evaluate(() => (window as unknown as { measured: Promise<number> }).measured);
}

test("when the browser reports that it is offline, the page shows a banner within a second, and the user can still write", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const here = await alice.open(conversation, bob);
  await expectConnected(here);
  const measured = await measureOfflineBanner(here.page, "offline");
  await alice.context.setOffline(true);
  expect(await measured()).toBeLessThan(1_000);
  await expect(offlineBanner(here.page)).toHaveCount(1);
  await here.write("From the tunnel");
  await here.expectState("From the tunnel", "sending");
  await alice.context.setOffline(false);
  await here.expectStored("From the tunnel", 30_000);
  await expect(offlineBanner(here.page)).toHaveCount(0);
});

test("a silently dead connection is detected within ten seconds, even if the user does not write", async ({ users, watch }) => {
  watch.allow(OUTAGE);
  const proxy = await TcpProxy.create();
  const server = await Server.create({ DUET_PUBLIC_URL: proxy.url });
  proxy.to(server.url);
  const [alice, bob] = [await users.create("Alice Arden", proxy), await users.create("Bob Byrne", proxy)];
  const here = await alice.open(await alice.apiConversation(bob), bob);
  await expectConnected(here);
  const measured = await measureOfflineBanner(here.page, "silence");
  await here.page.evaluate(() => dispatchEvent(new Event("silence")));
  proxy.isSilent = true;
  // One second for timers that a busy machine runs late.
  expect(await measured()).toBeLessThan(11_000);
  // The message waits, and the next connection sends it.
  await here.write("Into the silence");
  await here.expectState("Into the silence", "sending");
  proxy.isSilent = false;
  await here.expectStored("Into the silence", 60_000);
  await server.destroy();
  proxy.end();
});

test("short outages show no banner, however many occur", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await expectConnected(here);
  const banners = await recordAppearances(here.page, ".banner");
  for (let outage = 1; outage <= 8; outage += 1) {
    await network.cut();
    // The length of the outage. The page then needs at most two more seconds, and shows a banner after four.
    await here.page.waitForTimeout(900);
    network.restore();
    await expectConnected(here, `After outage ${outage}`);
  }
  expect(await banners()).toEqual([]);
});

test("an offline user can write in a conversation that was never opened, and the conversation loads by itself afterwards", async ({ alice, bob, createUser, conversation, watch }) => {
  watch.allow(OUTAGE);
  const carol = await createUser("Carol Cole");
  const hers = await carol.apiConversation(alice);
  await carol.apiSend(hers, "Hello from Carol");
  const here = await alice.open(conversation, bob);
  await expectConnected(here);
  const list = new HomePage(here.page);
  await alice.context.setOffline(true);
  await expect(offlineBanner(here.page)).toBeVisible();
  await list.entry(carol.name).click();
  const there = new ConversationPage(here.page, carol.name);
  await expect(there.heading).toBeVisible();
  await expect(tryAgain(here.page)).toBeVisible();
  await there.write("Written offline");
  await there.expectState("Written offline", "sending");
  await tryAgain(here.page).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await there.expectState("Written offline", "sending");
  // The conversation that was opened before is cached.
  await list.entry(bob.name).click();
  await expect(here.message("Is this on?")).toBeVisible();
  await list.entry(carol.name).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await there.box.fill("Half a thought");

  await alice.context.setOffline(false);
  await expect(there.message("Hello from Carol")).toBeVisible();
  await expect(tryAgain(here.page)).toHaveCount(0);
  await there.expectStored("Written offline", 30_000);
  await there.expectBodies("Hello from Carol", "Written offline");
  await expect(there.box).toHaveValue("Half a thought");

  // The same for a page whose code is not loaded.
  await alice.context.setOffline(true);
  await expect(offlineBanner(here.page)).toBeVisible();
  await here.page.getByRole("link", { name: "Settings" }).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await alice.context.setOffline(false);
  await expect(here.page.getByRole("heading", { name: "Privacy" })).toBeVisible();
});

test("header and composer do not move while a conversation loads, and keep focus and text when the rows arrive", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  const hers = await carol.apiConversation(alice);
  await carol.apiSend(hers, "Hello from Carol");
  const here = await alice.open(conversation, bob);
  const release = await hold(alice.context, "**/api/load_history*");
  await new HomePage(here.page).entry(carol.name).click();
  const there = new ConversationPage(here.page, carol.name);
  await expect(there.heading).toBeVisible();
  await expect(there.box).toBeFocused();
  await here.page.keyboard.type("Typed at once");
  const boxes = () => Promise.all([there.heading.boundingBox(), there.box.boundingBox()]);
  const before = await boxes();
  release();
  await expect(there.message("Hello from Carol")).toBeVisible();
  expect(await boxes()).toEqual(before);
  await expect(there.box).toBeFocused();
  await expect(there.box).toHaveValue("Typed at once");
});

test("typing that began before the connection is shown to the peer", async ({ alice, bob, conversation }) => {
  const bobHere = await bob.open(conversation, alice);
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await alice.context.routeWebSocket(/\/ws$/, async (socket) => {
    await released;
    socket.connectToServer();
  });
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially("Well");
  release();
  await expect(bobHere.page.getByRole("main").getByText(/typing/).first()).toBeVisible();
});

/** The offline copies in this browser: keys of its storage, and addresses in its caches. */
async function offlineCopies(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const rows = Object.keys(localStorage).filter((key) => key.includes(":rows:"));
    const page = (await caches.has("duet-page")) ? await (await caches.open("duet-page")).keys() : [];
    return [...rows, ...page.map(({ url }) => new URL(url).pathname)];
  });
}

function keepMessages(page: Page) {
  return page.getByRole("switch", { name: "Keep messages on this device" });
}

test("with the setting on, messages are kept on the device and open without a server; turning the setting off deletes them", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  await bob.apiSend(conversation, "Between us");
  const { page } = await alice.home();
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller?.state ?? "none")).toBe("activated");
  expect(await offlineCopies(page)).toEqual([]);
  await page.goto("/settings");
  await ready(page);
  await expect(keepMessages(page)).not.toBeChecked();
  await keepMessages(page).check();
  await page.reload();
  await ready(page);
  await expect(keepMessages(page)).toBeChecked();
  const here = await alice.open(conversation, bob);
  await expect(here.message("Between us")).toBeVisible();
  await expect.poll(() => offlineCopies(page)).toEqual(expect.arrayContaining([expect.stringContaining(conversation), "/"]));

  await server.stop();
  await page.reload();
  await ready(page);
  await expect(here.message("Between us")).toBeVisible();
  await here.write("Without a server");
  await here.expectState("Without a server", "sending");
  await page.goto("/");
  await ready(page);
  await expect(new HomePage(page).entry(bob.name)).toBeVisible();
  await server.start();
  await new HomePage(page).entry(bob.name).click();
  await here.expectStored("Without a server", 60_000);
  await here.expectBodies("Between us", "Without a server");

  await page.goto("/settings");
  await ready(page);
  await keepMessages(page).uncheck();
  await expect.poll(() => offlineCopies(page)).toEqual([]);
  await page.reload();
  await ready(page);
  await expect(keepMessages(page)).not.toBeChecked();
});

test("offline copies are deleted when the user signs out, and when another user signs in", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Between us");
  const { page } = await alice.home();
  await page.evaluate(() => localStorage.setItem("duet:00000000-0000-7000-8000-000000000000:rows:list", "of another user"));
  await page.goto("/settings");
  await ready(page);
  expect(await offlineCopies(page)).toEqual([]);
  await keepMessages(page).check();
  await page.goto(`/c/${conversation}`);
  await ready(page);
  await expect.poll(() => offlineCopies(page)).toEqual(expect.arrayContaining([expect.stringContaining(conversation), "/"]));
  await signOutOf(page).click();
  await page.waitForURL(/\/sign-in/);
  await expect.poll(() => offlineCopies(page)).toEqual([]);
});
