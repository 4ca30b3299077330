import type { Page } from "@playwright/test";
import { TcpProxy } from "../support/tcp-proxy";
import { ConversationPage, HomePage, ready, signOutOf } from "../support/pages";
import { User } from "../support/user";
import { Server } from "../support/server";
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

/** Waits until the page is connected: a message is then stored. */
async function expectConnected(here: ConversationPage): Promise<void> {
  await here.write("Is this on?");
  await here.expectStored("Is this on?");
}

/** Starts recording the texts of the banners; the returned function returns the texts so far. */
async function recordBanners(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const recorded: [string, number][] = [];
    const from = performance.now();
    Object.assign(window, { recorded });
    const banners = [...document.querySelectorAll(".banner")];
    const note = () => {
      const texts = banners.filter((banner) => banner.getClientRects().length > 0).map((banner) => banner.textContent ?? "");
      for (const text of texts) if (text.trim() && recorded.at(-1)?.[0] !== text) recorded.push([text, performance.now() - from]);
    };
    for (const banner of banners) new MutationObserver(note).observe(banner, { attributes: true, childList: true, subtree: true });
  });
  return () => page.evaluate(() => (window as unknown as { recorded: [string, number][] }).recorded.map(([text]) => text));
}

test("an offline report of the browser is shown within a second, and writing continues", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const here = await alice.open(conversation, bob);
  await expectConnected(here);
  await here.page.evaluate(() => {
    const late = new Promise<number>((done) => {
      addEventListener("offline", () => {
        const from = performance.now();
        const look = () => {
          const isShown = [...document.querySelectorAll(".banner")].some((it) => it.getClientRects().length > 0 && /offline/i.test(it.textContent ?? ""));
          if (isShown) done(performance.now() - from);
          else setTimeout(look, 10);
        };
        look();
      });
    });
    Object.assign(window, { late });
  });
  await alice.context.setOffline(true);
  expect(await here.page.evaluate(() => (window as unknown as { late: Promise<number> }).late)).toBeLessThan(1_000);
  await expect(offlineBanner(here.page)).toHaveCount(1);
  await here.write("From the tunnel");
  await here.expectState("From the tunnel", "sending");
  await alice.context.setOffline(false);
  await here.expectStored("From the tunnel", 30_000);
  await expect(offlineBanner(here.page)).toHaveCount(0);
});

test("a silently dead connection is detected within ten seconds, also without writing", async ({ browser, watch }) => {
  watch.allow(OUTAGE);
  const proxy = await TcpProxy.create();
  const server = await Server.create({ DUET_PUBLIC_URL: proxy.url });
  proxy.to(server.url);
  const context = await browser.newContext({ baseURL: proxy.url });
  watch.over(context);
  const [alice, bob] = [await User.create("Alice Arden", context, proxy), await User.create("Bob Byrne", await browser.newContext(), proxy)];
  const here = await alice.open(await alice.apiConversation(bob), bob);
  await expectConnected(here);
  const silent = Date.now();
  proxy.isSilent = true;
  await expect(offlineBanner(here.page)).toBeVisible({ timeout: 20_000 });
  // One second for the test's access to the page.
  expect(Date.now() - silent).toBeLessThan(11_000);
  // The message waits, and the next connection sends it.
  await here.write("Into the silence");
  await here.expectState("Into the silence", "sending");
  proxy.isSilent = false;
  await here.expectStored("Into the silence", 60_000);
  await context.close();
  await server.destroy();
  proxy.end();
});

test("short outages show no banner, however many occur", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  test.setTimeout(120_000);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await expectConnected(here);
  const recorded = await recordBanners(here.page);
  for (let outage = 0; outage < 8; outage += 1) {
    await network.cut();
    await here.page.waitForTimeout(900);
    network.restore();
    await here.page.waitForTimeout(1_500);
  }
  await here.write("Still here");
  await here.expectStored("Still here", 30_000);
  expect(await recorded()).toEqual([]);
});

test("a user can write offline in a conversation that was never opened, and the conversation loads by itself afterwards", async ({ alice, bob, createUser, conversation, watch }) => {
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
  await there.write("Written in the dark");
  await there.expectState("Written in the dark", "sending");
  await tryAgain(here.page).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await there.expectState("Written in the dark", "sending");
  // The conversation that was opened before is cached.
  await list.entry(bob.name).click();
  await expect(here.message("Is this on?")).toBeVisible();
  await list.entry(carol.name).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await there.box.fill("Half a thought");

  await alice.context.setOffline(false);
  await expect(there.message("Hello from Carol")).toBeVisible({ timeout: 30_000 });
  await expect(tryAgain(here.page)).toHaveCount(0);
  await there.expectStored("Written in the dark", 30_000);
  await there.expectBodies("Hello from Carol", "Written in the dark");
  await expect(there.box).toHaveValue("Half a thought");

  // The same for a page whose code is not loaded.
  await alice.context.setOffline(true);
  await expect(offlineBanner(here.page)).toBeVisible();
  await here.page.getByRole("link", { name: "Settings" }).click();
  await expect(tryAgain(here.page)).toBeVisible();
  await alice.context.setOffline(false);
  await expect(here.page.getByRole("heading", { name: "Privacy" })).toBeVisible({ timeout: 30_000 });
});

test("header and composer do not move while a conversation loads, and keep focus and text when the rows arrive", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  const hers = await carol.apiConversation(alice);
  await carol.apiSend(hers, "Hello from Carol");
  const here = await alice.open(conversation, bob);
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await alice.context.route("**/api/load_history*", async (route) => {
    await released;
    await route.continue();
  });
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
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  await alice.context.routeWebSocket(/\/ws$/, async (socket) => {
    await opened;
    socket.connectToServer();
  });
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially("Well");
  open();
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
  test.setTimeout(120_000);
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
  await expect.poll(() => offlineCopies(page), { timeout: 20_000 }).toEqual(expect.arrayContaining([expect.stringContaining(conversation), "/"]));

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
  await page.evaluate(() => localStorage.setItem("duet:00000000-0000-7000-8000-000000000000:rows:list", "of somebody else"));
  await page.goto("/settings");
  await ready(page);
  expect(await offlineCopies(page)).toEqual([]);
  await keepMessages(page).check();
  await page.goto(`/c/${conversation}`);
  await ready(page);
  await expect.poll(() => offlineCopies(page), { timeout: 20_000 }).toEqual(expect.arrayContaining([expect.stringContaining(conversation), "/"]));
  await signOutOf(page).click();
  await page.waitForURL(/\/sign-in/);
  await expect.poll(() => offlineCopies(page)).toEqual([]);
});
