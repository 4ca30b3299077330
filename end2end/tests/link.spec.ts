import type { Browser, BrowserContextOptions, Locator, Page } from "@playwright/test";
import { Network } from "../support/network";
import { HomePage, ready } from "../support/pages";
import { expect, test } from "../support/test";
import type { User } from "../support/user";
import { OUTAGE, REFUSAL } from "../support/watch";

function devices(page: Page): Locator {
  return page.getByRole("region", { name: "Devices" });
}

async function openSettings(page: Page): Promise<Locator> {
  await page.goto("/settings");
  await ready(page);
  return devices(page);
}

/** Shows the code on the settings page; returns the link. */
async function showCode(user: User, label = "Sign in another device…"): Promise<string> {
  const part = devices(user.page);
  await part.getByText(label).click();
  await part.getByLabel("Password", { exact: true }).fill(user.password);
  await part.getByRole("button", { name: "Show the code" }).click();
  const link = part.getByRole("textbox", { name: "Link that signs in another device" });
  await expect(link).toHaveValue(/\/link\/[\w-]{43}$/);
  return link.inputValue();
}

/** A browser of another device, on the page of a link. */
async function elsewhere(browser: Browser, link: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: new URL(link).origin, ...options });
  const page = await context.newPage();
  await page.goto(link);
  if (options.javaScriptEnabled !== false) await ready(page);
  return page;
}

test("a code signs in another device, and the first device sees it at once", async ({ alice, browser, watch }) => {
  watch.allow(REFUSAL);
  const part = await openSettings(alice.page);
  await part.getByText("Sign in another device…").click();
  await part.getByLabel("Password", { exact: true }).fill("not my password");
  await part.getByRole("button", { name: "Show the code" }).click();
  await expect(part.getByLabel("Password", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await part.getByLabel("Password", { exact: true }).fill(alice.password);
  await part.getByRole("button", { name: "Show the code" }).click();
  await expect(part.getByText("Scan this code")).toBeFocused();
  await expect(part.getByRole("img", { name: "QR code that signs in another device" })).toBeVisible();
  const link = await part.getByRole("textbox", { name: "Link that signs in another device" }).inputValue();

  const phone = await elsewhere(browser, link);
  await expect(phone.getByRole("heading", { name: "Sign in as Alice Arden on this device?" })).toBeVisible();
  await expect(part.getByRole("img", { name: "QR code that signs in another device" })).toBeVisible();
  await phone.getByRole("button", { name: "Sign in as Alice Arden" }).click();
  await phone.waitForURL("/");
  await ready(phone);
  await expect(new HomePage(phone).search).toBeVisible();

  await expect(part.getByRole("status").filter({ hasText: /Signed in: .*Chrom/ })).toBeVisible({ timeout: 2_000 });
  await expect(part.getByRole("listitem")).toHaveCount(2);
  await expect(alice.page.getByText("Someone just signed in")).toBeHidden();
  await expect(part.getByRole("img", { name: "QR code that signs in another device" })).toHaveCount(0);
  // The address of the link is not in the history of the tab.
  await phone.goBack();
  expect(phone.url()).not.toContain("/link/");
  await phone.context().close();

  const late = await elsewhere(browser, link);
  await expect(late.getByRole("heading", { name: "This link doesn’t work" })).toBeVisible();
  await expect(late.getByText("make a new code")).toBeVisible();
  await late.context().close();
});

test("the first device learns of a sign-in that happened while it was offline", async ({ alice, browser, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const network = await Network.of(alice.context);
  const part = await openSettings(alice.page);
  const link = await showCode(alice);
  // Twice, because an outage must not end the asking.
  for (let outage = 0; outage < 2; outage += 1) {
    await alice.context.setOffline(true);
    await network.cut();
    if (outage === 1) {
      const phone = await elsewhere(browser, link);
      await phone.getByRole("button", { name: "Sign in as Alice Arden" }).click();
      await phone.waitForURL("/");
      await phone.context().close();
    }
    await expect(alice.page.locator(".banner", { hasText: /offline/ })).toBeVisible();
    await expect(part.getByRole("img", { name: "QR code that signs in another device" })).toBeVisible();
    network.restore();
    await alice.context.setOffline(false);
    await expect(alice.page.locator(".banner", { hasText: /offline/ })).toBeHidden({ timeout: 45_000 });
  }
  await expect(part.getByRole("status").filter({ hasText: "Signed in:" })).toBeVisible();
  await expect(part.getByRole("listitem")).toHaveCount(2);
});

test("the first device learns of a sign-in without any socket", async ({ alice, browser, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  await alice.context.routeWebSocket(/\/ws$/, (socket) => socket.close());
  const part = await openSettings(alice.page);
  const link = await showCode(alice);
  const phone = await elsewhere(browser, link);
  await phone.getByRole("button", { name: "Sign in as Alice Arden" }).click();
  await phone.waitForURL("/");
  await expect(part.getByRole("status").filter({ hasText: "Signed in:" })).toBeVisible();
  await phone.context().close();
});

test("a cancelled, a replaced and a forged code get the same answer", async ({ alice, browser, server, watch }) => {
  watch.allow(REFUSAL);
  const part = await openSettings(alice.page);
  const cancelled = await showCode(alice);
  await part.getByRole("button", { name: "Cancel" }).click();
  await expect(part.getByText("Sign in another device…")).toBeVisible();
  const open = await showCode(alice);
  const page = await elsewhere(browser, open);
  // A code on another page of the user replaces this one.
  await openSettings(alice.page);
  await showCode(alice);
  await page.getByRole("button", { name: "Sign in as Alice Arden" }).click();
  await expect(page.getByRole("alert")).toContainText("make a new code");
  for (const link of [cancelled, open, `${server.url}/link/${"A".repeat(43)}`, `${server.url}/link/x`]) {
    await page.goto(link);
    await expect(page.getByText("This link has expired, has been used or has been replaced.")).toBeVisible();
  }
  await page.context().close();
});

test("a browser that is signed in keeps its account", async ({ alice, bob }) => {
  await openSettings(alice.page);
  const link = await showCode(alice);
  await bob.page.goto(link);
  await ready(bob.page);
  await expect(bob.page.getByText("This browser is signed in as Bob Byrne.")).toBeVisible();
  await expect(bob.page.getByRole("button")).toHaveCount(0);
  const own = await alice.tab();
  await own.goto(link);
  await expect(own.getByText("You’re signed in as Alice Arden here already.")).toBeVisible();
});

test("a code can be made and used without scripts", async ({ alice, browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, storageState: await alice.context.storageState() });
  const page = await context.newPage();
  await page.goto(`${server.url}/settings`);
  const part = devices(page);
  await part.getByText("Sign in another device…").click();
  await part.getByLabel("Password", { exact: true }).fill(alice.password);
  await part.getByRole("button", { name: "Show the code" }).click();
  await expect(page.getByRole("img", { name: "QR code that signs in another device" })).toBeVisible();
  const link = await page.getByRole("textbox", { name: "Link that signs in another device" }).inputValue();
  const phone = await elsewhere(browser, link, { javaScriptEnabled: false });
  await phone.getByRole("button", { name: "Sign in as Alice Arden" }).click();
  await phone.waitForURL("/");
  await page.getByRole("link", { name: "Back to settings" }).click();
  await expect(devices(page).getByRole("listitem")).toHaveCount(2);
  await phone.context().close();
  await context.close();
});
