import type { Page } from "@playwright/test";
import { fieldMessage, ready, SignInPage, signOutOf } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

/** Signs in, as on another device. */
async function signIn(page: Page, username: string, password: string): Promise<void> {
  const form = new SignInPage(page);
  await form.goto();
  await ready(page);
  await form.submit(username, password);
  await page.waitForURL("/");
  await ready(page);
}

test("a changed display name is shown at once to the user and to others", async ({ alice, bob, conversation, watch }) => {
  watch.allow(REFUSAL);
  const there = await bob.open(conversation, alice);
  await alice.page.goto("/settings");
  await ready(alice.page);
  const name = alice.page.getByLabel("Your name");
  await name.fill("Alice Winter");
  await alice.page.getByRole("button", { name: "Save" }).click();
  await expect(alice.page.getByText("Saved", { exact: true })).toBeVisible();
  await expect(alice.page.getByRole("link", { name: "Settings" })).toContainText("Alice Winter");
  await expect(there.page.getByRole("heading", { name: "Alice Winter" })).toBeVisible();
  await name.fill("x".repeat(65));
  await alice.page.getByRole("button", { name: "Save" }).click();
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await expect.poll(() => fieldMessage(name)).toMatch(/up to/);
});

test("a new password signs out every other device and works for sign-in", async ({ alice, conversation, browser, server, watch }) => {
  watch.allow(REFUSAL);
  const elsewhere = await browser.newContext({ baseURL: server.url });
  const other = await elsewhere.newPage();
  await signIn(other, alice.username, alice.password);
  await other.goto(`/c/${conversation}`);
  await ready(other);
  await other.getByRole("textbox", { name: "Message" }).fill("A draft of mine");

  const { page } = alice;
  await page.goto("/settings");
  await ready(page);
  await expect(page.getByRole("listitem").filter({ hasText: "This device" })).toBeVisible();
  await expect(page.getByRole("region", { name: "Devices" }).getByRole("listitem")).toHaveCount(2);
  const [current, next] = [page.getByLabel("Current password"), page.getByLabel("New password")];
  await current.fill("not my password at all");
  await next.fill("a quiet evening by the lake");
  const change = page.getByRole("button", { name: "Change password" });
  await change.click();
  await expect(current).toHaveAttribute("aria-invalid", "true");
  await expect.poll(() => fieldMessage(current)).toMatch(/password/);
  await current.fill(alice.password);
  await change.click();
  await expect(page.getByText("Password changed")).toBeVisible();
  await expect(other.getByText("You’ve been signed out. Anything you wrote is saved.")).toBeVisible();
  await expect(other.getByRole("textbox", { name: "Message", includeHidden: true })).toHaveValue("A draft of mine");
  await page.reload();
  await ready(page);
  await expect(page.getByRole("region", { name: "Devices" }).getByRole("listitem")).toHaveCount(1);
  await signIn(other, alice.username, "a quiet evening by the lake");
  await elsewhere.close();
});

test("a device can be signed out from another device", async ({ alice, browser, server }) => {
  const elsewhere = await browser.newContext({ baseURL: server.url, userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
  const other = await elsewhere.newPage();
  await signIn(other, alice.username, alice.password);
  await alice.page.goto("/settings");
  await ready(alice.page);
  await alice.page.getByRole("button", { name: "Sign out of Firefox · Linux" }).click();
  await expect(alice.page.getByRole("listitem").filter({ hasText: "Firefox · Linux" })).toBeHidden();
  await expect(other.getByText(/You’ve been signed out/)).toBeVisible();
  await elsewhere.close();
});

test("a sign-in elsewhere is shown on the user's open pages", async ({ alice, bob, conversation, browser, server }) => {
  const here = await alice.open(conversation, bob);
  const elsewhere = await browser.newContext({ baseURL: server.url, userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
  const other = await elsewhere.newPage();
  await signIn(other, alice.username, alice.password);
  const notice = here.page.getByText("Someone just signed in to your account: Firefox · Linux.");
  await expect(notice).toBeVisible();
  await here.page.getByRole("button", { name: "That was me" }).click();
  await expect(notice).toBeHidden();
  await elsewhere.clearCookies();
  await signIn(other, alice.username, alice.password);
  await expect(notice).toBeVisible();
  await here.page.getByRole("link", { name: "Review devices" }).click();
  await expect(here.page.getByRole("button", { name: "Sign out of Firefox · Linux" })).toHaveCount(2);
  await expect(notice).toBeHidden();
  await elsewhere.close();
});

test("without read receipts neither user sees read marks, but both see delivered marks", async ({ alice, bob, conversation }) => {
  await alice.page.goto("/settings");
  await ready(alice.page);
  const receipts = alice.page.getByRole("switch", { name: "Read receipts" });
  await expect(receipts).toBeChecked();
  const saved = alice.page.waitForResponse((response) => response.url().includes("set_privacy"));
  await receipts.click();
  await saved;
  await alice.page.reload();
  await ready(alice.page);
  await expect(receipts).not.toBeChecked();
  const here = await alice.open(conversation, bob);
  const there = await bob.open(conversation, alice);
  await there.write("Have you seen this?");
  await expect(here.message("Have you seen this?")).toBeVisible();
  await there.expectState("Have you seen this?", "delivered");
  await here.write("Yes");
  await here.expectState("Yes", "delivered");
  await there.page.reload();
  await ready(there.page);
  await there.expectState("Have you seen this?", "delivered");
});

test("if a user hides presence, neither user sees the presence of the other", async ({ alice, bob, conversation }) => {
  await alice.page.goto("/settings");
  await ready(alice.page);
  const saved = alice.page.waitForResponse((response) => response.url().includes("set_privacy"));
  await alice.page.getByRole("switch", { name: "Online and last seen" }).click();
  await saved;
  const there = await bob.open(conversation, alice);
  const here = await alice.open(conversation, bob);
  await expect(there.heading).toBeVisible();
  for (const page of [there.page, here.page]) await expect(page.getByRole("banner").getByText(/online|last seen/)).toHaveCount(0);
});

test("the theme changes at once and is in the HTML of the next page", async ({ alice }) => {
  const { page } = alice;
  await page.goto("/settings");
  await ready(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  await page.getByRole("radio", { name: "Dark" }).check();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect.poll(paper).not.toBe(light);
  // The colour of the browser's toolbars changes as well.
  const bars = () => page.locator("meta[name=theme-color]").evaluateAll((metas) => metas.map((meta) => meta.getAttribute("content")));
  await expect.poll(async () => new Set(await bars())).toEqual(new Set(["#201b18"]));
  expect(await (await page.request.get("/settings")).text()).toContain('data-theme="dark"');
  await page.reload();
  await ready(page);
  await expect(page.getByRole("radio", { name: "Dark" })).toBeChecked();
  await page.getByRole("radio", { name: "System" }).check();
  await expect.poll(paper).toBe(light);
  await expect.poll(bars).toEqual(["#fffdf9"]);
});

test("the time format follows the setting", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "What time is it?");
  const { page } = alice;
  for (const [hours, form] of [["12-hour", /^\d{1,2}:\d\d\s?[ap]m$/i], ["24-hour", /^\d\d:\d\d$/]] as const) {
    await page.goto("/settings");
    await ready(page);
    const reloaded = page.waitForEvent("load");
    await page.getByRole("radio", { name: hours }).check();
    await reloaded;
    await ready(page);
    const here = await alice.open(conversation, bob);
    await expect(here.message("What time is it?").locator("time")).toHaveText(form);
  }
});

test("the messages of a deleted account remain without a name, and the account receives no messages", async ({ alice, bob, conversation, watch }) => {
  watch.allow(REFUSAL);
  await alice.apiSend(conversation, "This will stay with you");
  const there = await bob.open(conversation, alice);
  await alice.page.goto("/settings");
  await ready(alice.page);
  await alice.page.getByText("Delete account…").click();
  const password = alice.page.getByRole("region", { name: "Delete account" }).getByLabel("Password", { exact: true });
  await expect(alice.page.getByText(/keep your messages/)).toBeVisible();
  await password.fill("not my password");
  await alice.page.getByRole("button", { name: "Delete my account permanently" }).click();
  await expect(password).toHaveAttribute("aria-invalid", "true");
  await password.fill(alice.password);
  await alice.page.getByRole("button", { name: "Delete my account permanently" }).click();
  await alice.page.waitForURL(/\/sign-in/);
  await expect(there.page.getByRole("heading", { name: "Deleted account" })).toBeVisible();
  await there.page.reload();
  await ready(there.page);
  await expect(there.page.getByRole("log").getByText("This will stay with you")).toBeVisible();
  await expect(there.page.getByText("can’t receive messages")).toBeVisible();
  await expect(there.box).toBeHidden();
});

test("settings work without scripts", async ({ alice, browser, server }) => {
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState: await alice.context.storageState() });
  const page = await context.newPage();
  await page.goto("/settings");
  await page.getByLabel("Your name").fill("Alice Plain");
  await page.getByRole("button", { name: "Save" }).first().click();
  await expect(page.getByLabel("Your name")).toHaveValue("Alice Plain");
  await page.getByRole("radio", { name: "Dark" }).check();
  await page.getByRole("region", { name: "Appearance" }).getByRole("button", { name: "Save" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("switch", { name: "Read receipts" }).uncheck();
  await page.getByRole("region", { name: "Privacy" }).getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("switch", { name: "Read receipts" })).not.toBeChecked();
  await signOutOf(page).click();
  await expect(page).toHaveURL(/sign-in/);
  await context.close();
});
