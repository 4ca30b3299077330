import { recordAppearances } from "../support/appearances";
import { ConversationPage, createInvitation, HomePage, ready } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

test("a user invites a new user, whose sign-up opens the conversation", async ({ createUser, browser, server, watch }) => {
  const anna = await createUser("Anna Alone");
  await anna.home();
  await anna.page.getByRole("link", { name: "Invite someone" }).first().click();
  await anna.page.waitForURL("/invite");
  const link = anna.page.getByRole("textbox", { name: "Invitation link" });
  await expect(link).toHaveValue(/\/invite\/[\w-]{43}$/);
  const address = await link.inputValue();
  await anna.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const buttons = await recordAppearances(anna.page, "button");
  await anna.page.getByRole("button", { name: "Copy link" }).click();
  await expect.poll(buttons).toContain("Copied");
  expect(await anna.page.evaluate(() => navigator.clipboard.readText())).toBe(address);
  await expect(anna.page.getByRole("img", { name: "QR code of the invitation link" })).toBeVisible();

  const context = await browser.newContext({ baseURL: server.url });
  watch.over(context);
  const page = await context.newPage();
  await page.goto(address);
  await ready(page);
  await expect(page.getByRole("heading", { name: "Anna Alone invited you to chat" })).toBeVisible();
  await page.getByLabel("Username").fill("bruno.new");
  await page.getByLabel("Your name").fill("Bruno New");
  await page.getByLabel("Password", { exact: true }).fill("bruno likes long walks");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL(/\/c\//);
  await ready(page);
  const there = new ConversationPage(page, "Anna Alone");
  await there.write("I am in!");
  await anna.page.goto("/");
  await ready(anna.page);
  await expect(new HomePage(anna.page).entry("Bruno New")).toContainText("I am in!");

  const again = await browser.newContext({ baseURL: server.url });
  const late = await again.newPage();
  await late.goto(address);
  await expect(late.getByRole("heading", { name: "This invitation is no longer valid" })).toBeVisible();
  await Promise.all([context.close(), again.close()]);
});

test("an invitation works without scripts, also after a rejected field", async ({ alice, browser, server }) => {
  const address = await createInvitation(alice.page);
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(address);
  await page.getByLabel("Your name").fill("Carla Plain");
  await page.getByLabel("Username").fill("carla.plain");
  await page.getByLabel("Password", { exact: true }).fill("sunshine");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByLabel("Password", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Password", { exact: true }).fill("carla likes long walks");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL(/\/c\//);
  await expect(page.getByRole("heading", { name: alice.name })).toBeVisible();
  await context.close();
});

test("an existing user accepts an invitation with a single press, and the inviter cannot accept it", async ({ alice, bob, watch }) => {
  watch.allow(REFUSAL);
  const address = await createInvitation(alice.page);
  await alice.page.goto(address);
  await ready(alice.page);
  await alice.page.getByRole("button", { name: /^Chat with/ }).click();
  await expect(alice.page.getByRole("alert").filter({ hasText: "yourself" })).toBeVisible();
  await bob.page.goto(address);
  await ready(bob.page);
  await bob.page.getByRole("button", { name: `Chat with ${alice.name}` }).click();
  await bob.page.waitForURL(/\/c\//);
  await expect(bob.page.getByRole("heading", { name: alice.name })).toBeVisible();
});
