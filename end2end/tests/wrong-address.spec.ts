import { ConversationPage, ready, SignInPage } from "../support/pages";
import { Server, type Settings } from "../support/server";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

// The server accepts a single address. A page under another address shows visitors and the operator the right address.

const right = "https://chat.exmaple.org";

test.describe("a public URL with a typo", () => {
  test.use({ settings: { DUET_PUBLIC_URL: right } });

  test("a page under another address links to the right address, and a refused call names the right address", async ({ page, server, watch }) => {
    watch.allow(REFUSAL);
    await page.goto("/sign-in?next=%2Fsettings");
    await ready(page);
    const notice = page.getByRole("alert").filter({ hasText: `Duet only works at ${right}` });
    await expect(notice).toBeVisible();
    await expect(notice).toContainText("DUET_PUBLIC_URL");
    await expect(notice.getByRole("link")).toHaveAttribute("href", `${right}/sign-in?next=%2Fsettings`);
    const form = new SignInPage(page);
    await form.submit("alice", "a walk in the rain");
    await expect(page.getByText(`Duet only works at ${right}. Open it there and try again.`)).toBeVisible();
    // The refusal has emptied the password. The second refused call adds no second line to the log.
    const refused = page.waitForResponse("**/api/sign_in");
    await form.submit("alice", "a walk in the rain");
    await refused;
    await expect.poll(() => server.log).toContain(`set DUET_PUBLIC_URL=${server.url}`);
    expect(server.log.split(`set DUET_PUBLIC_URL=${server.url}`)).toHaveLength(2);
  });

  test("a page without scripts shows the right address as well", async ({ browser, server, watch }) => {
    const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
    watch.over(context);
    watch.allow(REFUSAL);
    const page = await context.newPage();
    const form = new SignInPage(page);
    await form.goto();
    // The public URL can carry passkeys, but an authenticator needs scripts.
    await expect(page.getByRole("button", { name: "Sign in with a passkey" })).toBeHidden();
    await form.submit("alice", "a walk in the rain");
    await expect(page.getByText(`Duet only works at ${right}`)).toBeVisible();
    await expect(page.getByRole("link", { name: right })).toHaveAttribute("href", right);
    await context.close();
  });
});

test("a user who is signed in under another address gets no offline banner", async ({ users, watch }) => {
  watch.allow(REFUSAL);
  const settings: Settings = {};
  const server = await Server.create(settings);
  const [alice, bob] = [await users.create("Alice Arden", server), await users.create("Bob Byrne", server)];
  const conversation = await alice.apiConversation(bob);
  const moved = server.url.replace("127.0.0.1", "localhost");
  settings.DUET_PUBLIC_URL = moved;
  await server.restart();
  const { page } = alice;
  let sockets = 0;
  page.on("websocket", () => (sockets += 1));
  await page.clock.install();
  await page.goto(`/c/${conversation}`);
  await ready(page);
  await expect(page.getByText(`Duet only works at ${moved}`)).toBeVisible();
  await expect(page.getByRole("link", { name: moved })).toHaveAttribute("href", `${moved}/c/${conversation}`);
  const here = new ConversationPage(page, bob.name);
  await here.write("Keep me");
  await page.clock.runFor(60_000);
  await here.expectState("Keep me", "sending");
  await expect(page.getByText(/You’re offline/)).toBeHidden();
  expect(sockets).toBe(0);
  // A page without its server would log errors.
  await page.goto("about:blank");
  await server.destroy();
});

test("a page under the right address shows no warning about addresses", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await expect(here.page.locator("#wrong-address")).toBeHidden();
  await here.page.goto("/sign-in");
  await expect(here.page.locator("#wrong-address")).toBeHidden();
});
