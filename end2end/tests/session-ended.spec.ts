import type { Browser, BrowserContext, Page } from "@playwright/test";
import { HomePage, ready, SignInPage } from "../support/pages";
import type { User } from "../support/user";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";

const banner = /You’ve been signed out\. Anything you wrote is saved/;

/** The box for a message, which the page hides when its session ends. */
const hiddenBox = (page: Page) => page.getByRole("textbox", { name: "Message", includeHidden: true });

/** The ways in which a session ends while its page is offline. */
const ends: Record<string, (alice: User, browser: Browser, server: Server) => Promise<void>> = {
  "another device signed it out": (alice) => alice.apiEndSession(),
  "the password was changed elsewhere": (alice, browser, server) =>
    callElsewhere(alice, browser, server, "change_password", { current: alice.password, new: "a quiet evening by the lake" }),
  "the account was deleted": (alice, browser, server) => callElsewhere(alice, browser, server, "delete_account", { password: alice.password }),
  // The cookie of such a session is invalid.
  "the session was idle for too long": (alice) => invalidateCookie(alice.context),
};

for (const [how, end] of Object.entries(ends)) {
  test(`a session that ended while the page was offline: ${how}`, async ({ alice, bob, conversation, browser, server, watch }) => {
    watch.allow(OUTAGE, REFUSAL);
    const here = await alice.open(conversation, bob);
    await here.box.fill("Half a thought");
    await here.expectDraftStored("Half a thought");
    await alice.context.setOffline(true);
    const refused = here.page.waitForEvent("console", (message) => /WebSocket connection/.test(message.text()));
    // An open socket may survive the emulated outage; a restart ends it for good.
    await server.restart();
    await refused;
    await end(alice, browser, server);
    await alice.context.setOffline(false);

    await expect(here.page.getByText(banner)).toBeVisible();
    await expect(here.page.getByText(/offline/)).toBeHidden();
    await expect(hiddenBox(here.page)).toHaveValue("Half a thought");
    const link = here.page.getByRole("link", { name: "Sign in again" });
    await expect(link).toHaveAttribute("href", `/sign-in?next=/c/${conversation}`);
    await link.click();
    await here.page.waitForURL(/\/sign-in\?next=/);
  });
}

test("any call that finds the session ended shows the banner, and the page recovers after a sign-in in another tab", async ({
  alice,
  bob,
  conversation,
  watch,
}) => {
  watch.allow(OUTAGE, REFUSAL);
  const here = await alice.open(conversation, bob);
  await here.write("Before");
  await here.expectStored("Before");
  await here.box.fill("Half a thought");
  const cookies = await alice.context.cookies();
  await invalidateCookie(alice.context);
  await new HomePage(here.page).search.fill("Bo");
  await expect(here.page.getByText(banner)).toBeVisible();
  await expect(hiddenBox(here.page)).toHaveValue("Half a thought");

  // Simulates a sign-in in another tab of the same browser: its cookie, and its page.
  await alice.context.addCookies(cookies);
  const other = await alice.tab();
  await other.goto("/");
  await ready(other);
  await expect(here.page.getByText(banner)).toBeHidden();
  await here.box.press("Enter");
  await here.expectStored("Half a thought");
  await here.expectBodies("Before", "Half a thought");
});

test("a page whose session ended shows only the notice, in all tabs, until the user signs in again", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const here = await alice.open(conversation, bob);
  await here.write("For my eyes only");
  await here.expectStored("For my eyes only");
  const list = await alice.tab();
  await list.goto("/");
  await ready(list);
  await alice.apiEndSession();
  for (const page of [here.page, list]) {
    await expect(page.getByText(banner)).toBeVisible();
    await expect(page.getByRole("link", { name: "Sign in again" })).toBeFocused();
    await expect(page.getByText("For my eyes only").locator("visible=true")).toHaveCount(0);
    await expect(page.getByText(bob.name).locator("visible=true")).toHaveCount(0);
    await expect(page).toHaveTitle("Duet");
  }
  await expect(here.box).toBeHidden();

  const { username, password } = alice;
  const other = await alice.tab();
  await other.goto("/sign-in");
  await ready(other);
  await new SignInPage(other).submit(username, password);
  await expect(here.message("For my eyes only")).toBeVisible();
});

test("text that the browser cannot save stays visible when the session ends", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  await alice.page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  const here = await alice.open(conversation, bob);
  await here.write("For my eyes only");
  await here.box.fill("Half a thought");
  await alice.apiEndSession();
  await expect(here.page.getByText(/Copy anything you wrote/)).toBeVisible();
  await expect(here.message("For my eyes only")).toBeHidden();
  await expect(here.box).toBeVisible();
  await expect(here.box).toHaveValue("Half a thought");
});

test("after a sign-in in another tab the first tab sends messages again", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const here = await alice.open(conversation, bob);
  await alice.apiEndSession();
  await expect(here.page.getByText(banner)).toBeVisible();
  const other = await alice.tab();
  await other.goto("/sign-in");
  await ready(other);
  await new SignInPage(other).submit(alice.username, alice.password);
  await other.waitForURL(/\/$/);
  await expect(here.page.getByText(banner)).toBeHidden();
  await here.write("Alive again");
  await here.expectStored("Alive again");
});

/** Replaces the browser's cookie with a cookie of no session. */
async function invalidateCookie(context: BrowserContext): Promise<void> {
  const [cookie] = await context.cookies();
  if (!cookie) throw new Error("no cookie was set");
  await context.addCookies([{ ...cookie, value: "A".repeat(cookie.value.length) }]);
}

/** Signs in with another browser and sends a call from there. */
async function callElsewhere(alice: User, browser: Browser, server: Server, call: string, form: Record<string, string>): Promise<void> {
  const context = await browser.newContext({ baseURL: server.url });
  const headers = { Accept: "application/json", Origin: server.url };
  for (const [name, fields] of Object.entries({ sign_in: { username: alice.username, password: alice.password }, [call]: form })) {
    const answer = await context.request.post(`/api/${name}`, { headers, form: fields });
    expect(answer.status(), `${name}: ${await answer.text()}`).toBe(200);
  }
  await context.close();
}
