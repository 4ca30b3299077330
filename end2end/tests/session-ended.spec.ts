import type { Browser, BrowserContext } from "@playwright/test";
import { type ConversationPage, HomePage, ready, SignInPage } from "../support/pages";
import type { User } from "../support/user";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";

const banner = /You’ve been signed out\. Anything you wrote is saved/;

/** Ways in which a session ends while its page is offline. */
const ends: Record<string, (alice: User, browser: Browser, server: Server) => Promise<void>> = {
  "another device signed it out": (alice) => alice.apiEndSession(),
  "the password was changed elsewhere": (alice, browser, server) =>
    callElsewhere(alice, browser, server, "change_password", { current: alice.password, new: "a quiet evening by the lake" }),
  "the account was deleted": (alice, browser, server) => callElsewhere(alice, browser, server, "delete_account", { password: alice.password }),
  // A session that was idle for too long leaves an invalid cookie.
  "the server has forgotten the session": (alice) => invalidateCookie(alice.context),
};

for (const [how, end] of Object.entries(ends)) {
  test(`a session that ended while the page was offline: ${how}`, async ({ alice, bob, conversation, browser, server, watch }) => {
    watch.allow(OUTAGE, REFUSAL);
    const here = await alice.open(conversation, bob);
    await here.box.fill("Half a thought");
    await here.expectDraftStored("Half a thought");
    await alice.context.setOffline(true);
    // An open socket may survive the emulated outage; a restart ends it for good.
    await server.restart();
    await here.page.waitForEvent("console", (message) => /WebSocket connection/.test(message.text()));
    await end(alice, browser, server);
    await alice.context.setOffline(false);

    await expect(here.page.getByText(banner)).toBeVisible({ timeout: 30_000 });
    await expect(here.page.getByText(/offline/)).toBeHidden();
    await expect(here.box).toHaveValue("Half a thought");
    const link = here.page.getByRole("link", { name: "Sign in again" });
    expect(await link.getAttribute("href")).toBe(`/sign-in?next=/c/${conversation}`);
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
  await expect(here.box).toHaveValue("Half a thought");

  // Simulates a sign-in in another tab of the same browser by its cookie and its page.
  await alice.context.addCookies(cookies);
  const other = await alice.tab();
  await other.goto("/");
  await ready(other);
  await expect(here.page.getByText(banner)).toBeHidden({ timeout: 20_000 });
  await here.box.press("Enter");
  await here.expectStored("Half a thought");
  await here.expectBodies("Before", "Half a thought");
});

test("after a sign-in in another tab the first tab is live again", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const here = await alice.open(conversation, bob);
  await alice.apiEndSession();
  await expect(here.page.getByText(banner)).toBeVisible();
  const other = await alice.tab();
  await other.goto("/sign-in");
  await ready(other);
  await new SignInPage(other).submit(alice.username, alice.password);
  await other.waitForURL(/\/$/);
  await expect(here.page.getByText(banner)).toBeHidden({ timeout: 20_000 });
  await expectSending(here, "Alive again");
});

async function expectSending(here: ConversationPage, body: string): Promise<void> {
  await here.write(body);
  await here.expectStored(body);
}

/** Replaces the browser's cookie with a cookie of no session. */
async function invalidateCookie(context: BrowserContext): Promise<void> {
  const [cookie] = await context.cookies();
  if (!cookie) throw new Error("no cookie was set");
  await context.addCookies([{ ...cookie, value: "A".repeat(cookie.value.length) }]);
}

/** Signs in in another browser and sends a call there. */
async function callElsewhere(alice: User, browser: Browser, server: Server, call: string, form: Record<string, string>): Promise<void> {
  const context = await browser.newContext({ baseURL: server.url });
  const headers = { Accept: "application/json", Origin: server.url };
  for (const [name, fields] of Object.entries({ sign_in: { username: alice.username, password: alice.password }, [call]: form })) {
    const answer = await context.request.post(`/api/${name}`, { headers, form: fields });
    expect(answer.status(), `${name}: ${await answer.text()}`).toBe(200);
  }
  await context.close();
}
