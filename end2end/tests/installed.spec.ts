import type { Page } from "@playwright/test";
import { ConversationPage, HomePage, ready } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

interface Icon {
  src: string;
  sizes: string;
  type: string;
  purpose: string;
}

/** Waits until the service worker controls this page. */
async function controlled(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller?.state ?? "none")).toBe("activated");
}

test("browsers accept the manifest, and each icon has its declared size", async ({ page, server }) => {
  await page.goto("/sign-in");
  const address = await page.locator("link[rel=manifest]").getAttribute("href");
  const answer = await page.request.get(`${server.url}${address}`);
  expect(answer.headers()["content-type"]).toContain("application/manifest+json");
  const manifest = (await answer.json()) as { icons: Icon[]; name: string; display: string; start_url: string };
  expect(manifest).toMatchObject({ name: "Duet", display: "standalone", start_url: "/" });

  const cdp = await page.context().newCDPSession(page);
  const { errors } = await cdp.send("Page.getAppManifest");
  expect(errors).toEqual([]);
  const { installabilityErrors } = await cdp.send("Page.getInstallabilityErrors");
  // Tests run in private windows, which cannot install an app.
  expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);

  const touch = { src: "/icons/apple-touch-icon.png", sizes: "180x180", type: "image/png", purpose: "any" };
  await expect(page.locator("link[rel=apple-touch-icon]")).toHaveAttribute("href", touch.src);
  for (const icon of [...manifest.icons, touch]) {
    const picture = await page.request.get(`${server.url}${icon.src}`);
    expect(picture.headers()["content-type"], icon.src).toBe(icon.type);
    if (icon.type === "image/png") {
      // A PNG begins with its size.
      const bytes = await picture.body();
      expect(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, icon.src).toBe(icon.sizes);
    }
  }
  expect(manifest.icons.filter(({ purpose }) => purpose === "maskable").length).toBeGreaterThan(0);
});

test("when the server is unreachable the offline page is shown, and the browser has cached no user data", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  await bob.apiSend(conversation, "Between us");
  const here = await alice.open(conversation, bob);
  const { page } = here;
  await controlled(page);
  // Again, through the worker.
  await page.reload();
  await ready(page);
  await expect(here.message("Between us")).toBeVisible();
  await here.box.fill("Kept meanwhile");
  await here.expectDraftStored("Kept meanwhile");

  await server.stop();
  await page.goto(`/c/${conversation}`);
  await expect(page.getByRole("heading", { name: "Duet cannot be reached" })).toBeVisible();
  // In the browser's language only.
  await expect(page.getByText("You seem to be offline")).toBeVisible();
  for (const words of ["Du bist anscheinend offline", "يبدو أنك غير متصل"]) await expect(page.getByText(words)).toBeHidden();
  await expect(page.getByText("Between us")).toHaveCount(0);
  // Its style sheet and its image are loaded.
  await expect(page.getByRole("link", { name: "Try again" })).toHaveCSS("display", "flex");
  expect(await page.locator("img").evaluate((picture: HTMLImageElement) => picture.naturalWidth)).toBeGreaterThan(0);
  await page.getByRole("link", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Duet cannot be reached" })).toBeVisible();

  // The page reloads by itself.
  await server.start();
  await expect(new ConversationPage(page, bob.name).message("Between us")).toBeVisible({ timeout: 60_000 });
  await ready(page);
  await expect(here.box).toHaveValue("Kept meanwhile");

  const kept = await page.evaluate(async () => {
    const addresses: string[] = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) addresses.push(new URL(request.url).pathname);
    }
    return addresses.sort();
  });
  expect(kept).toEqual(["/favicon.svg", "/offline.css", "/offline.html", "/offline.js"]);
});

test("an offline browser shows the same offline page", async ({ alice, watch }) => {
  watch.allow(OUTAGE);
  const { page } = await alice.home();
  await controlled(page);
  await alice.context.setOffline(true);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Duet cannot be reached" })).toBeVisible();
  await alice.context.setOffline(false);
  await ready(page);
});

test("an older worker's cache is deleted, and the worker's script is requested anew each time", async ({ alice, server }) => {
  const { page } = await alice.home();
  await controlled(page);
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.unregister();
    await caches.open("duet-offline-0");
  });
  await page.reload();
  await ready(page);
  await controlled(page);
  await expect.poll(() => page.evaluate(() => caches.keys())).toHaveLength(1);
  const worker = await page.request.get(`${server.url}/sw.js`);
  expect(worker.headers()["cache-control"]).toBe("no-cache");
});

test("a click on a notification opens its conversation in the existing tab", async ({ alice, bob, conversation }) => {
  const { page } = await alice.home();
  await controlled(page);
  const worker = alice.context.serviceWorkers()[0] ?? (await alice.context.waitForEvent("serviceworker"));
  // Calls the worker's click handler, because bringing a window to the front needs a real click.
  await worker.evaluate((path) => (self as unknown as { show(path: string): Promise<void> }).show(path).catch(() => {}), `/c/${conversation}`);
  await page.waitForURL(`**/c/${conversation}`);
  await expect(new ConversationPage(page, bob.name).heading).toBeVisible();
  expect(alice.context.pages()).toHaveLength(1);
  await expect(new HomePage(page).entry(bob.name)).toBeVisible();
});

test("a click on a notification also finds a tab that the worker does not control", async ({ alice, bob, conversation }) => {
  const { page } = await alice.home();
  await controlled(page);
  const cdp = await alice.context.newCDPSession(page);
  const loaded = page.waitForEvent("load");
  await cdp.send("Page.reload", { ignoreCache: true });
  await loaded;
  await ready(page);
  expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
  const worker = alice.context.serviceWorkers()[0] ?? (await alice.context.waitForEvent("serviceworker"));
  await worker.evaluate((path) => (self as unknown as { show(path: string): Promise<void> }).show(path).catch(() => {}), `/c/${conversation}`);
  await page.waitForURL(`**/c/${conversation}`);
  await expect(new ConversationPage(page, bob.name).heading).toBeVisible();
  expect(alice.context.pages()).toHaveLength(1);
});
