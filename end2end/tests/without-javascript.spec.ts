import type { Locator, Page } from "@playwright/test";
import { fieldMessage, ConversationPage, HomePage, signOutOf, SignInPage, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

test.use({ javaScriptEnabled: false });

test("a user can sign up, find a person, send, sign out and sign in", async ({ page, bob, watch }) => {
  watch.allow(REFUSAL);
  const signUp = new SignUpPage(page);
  await signUp.goto();
  await signUp.submit("nora", "Nora North", "short");
  await expect(signUp.password).toHaveAttribute("aria-invalid", "true");
  await expect.poll(() => fieldMessage(signUp.password)).toMatch(/15/);
  await expect(signUp.username).toHaveValue("nora");
  await signUp.submit("nora", "Nora North", "a walk in the rain");
  await page.waitForURL(/\/$/);

  const home = new HomePage(page);
  await home.search.fill("Bob");
  await home.search.press("Enter");
  await home.result(bob.name).click();
  await page.waitForURL(/\/c\//);
  const here = new ConversationPage(page, bob.name);
  await here.box.fill("Plain and simple");
  await here.send.click();
  await expect(here.message("Plain and simple")).toBeVisible();
  await here.expectState("Plain and simple", "sent");
  await expect(here.box).toHaveValue("");
  await page.reload();
  await here.expectBodies("Plain and simple");

  await signOutOf(page).click();
  await page.waitForURL(/\/sign-in/);
  const signIn = new SignInPage(page);
  await signIn.submit("nora", "not the password");
  await expect(page.getByRole("alert").filter({ hasText: /wrong/i })).toBeVisible();
  await signIn.submit("nora", "a walk in the rain");
  await page.waitForURL(/\/$/);
  await expect(home.entry(bob.name)).toContainText("Plain and simple");
});

test("pressing Send twice stores the message once", async ({ alice, bob, conversation }) => {
  const here = await open(alice.page, conversation, bob.name);
  // The server answers both presses before the page gets an answer.
  let posts = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await alice.page.route(`**/c/${conversation}`, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    const response = await route.fetch({ maxRedirects: 0 });
    posts += 1;
    await released;
    await route.fulfill({ response });
  });
  await here.box.fill("Twice?");
  const button = await here.send.boundingBox();
  if (!button) throw new Error("the button is not shown");
  for (const press of [1, 2]) {
    // By the mouse, because a click on the locator would wait for the answer to the first press.
    await alice.page.mouse.click(button.x + button.width / 2, button.y + button.height / 2);
    await expect.poll(() => posts).toBe(press);
  }
  release();
  await here.expectBodies("Twice?");
  await alice.page.reload();
  await here.expectBodies("Twice?");
});

test("a blank message is refused with an error message", async ({ alice, bob, conversation, watch }) => {
  watch.allow(REFUSAL);
  const here = await open(alice.page, conversation, bob.name);
  await here.box.fill("   ");
  await here.send.click();
  await expect(alice.page.getByRole("alert").filter({ hasText: /\w/ })).toBeVisible();
  await expect(here.messages).toHaveCount(0);
});

test("a user can page through the history back to the beginning and forward to the end", async ({ alice, bob, conversation }) => {
  const bodies = Array.from({ length: 120 }, (_, index) => `Page ${String(index + 1).padStart(3, "0")}`);
  await bob.apiSend(conversation, ...bodies);
  await alice.apiRead(conversation, 120);
  const here = await open(alice.page, conversation, bob.name);
  await expect(here.message("Page 120")).toBeVisible();

  const read: string[] = await here.order(...bodies);
  for (let page = 0; page < 2; page += 1) {
    const loaded = alice.page.waitForEvent("load");
    await link(alice.page, "Older messages").click();
    await loaded;
    read.unshift(...(await here.order(...bodies)));
  }
  expect(read).toEqual(bodies);
  await expect(link(alice.page, "Older messages")).toBeHidden();
  for (let page = 0; page < 2; page += 1) await link(alice.page, "Newer messages").click();
  await expect(here.message("Page 120")).toBeVisible();
  await expect(link(alice.page, "Newer messages")).toBeHidden();
});

test("the page explains which functions need JavaScript", async ({ alice, bob, conversation }) => {
  await open(alice.page, conversation, bob.name);
  await expect(alice.page.locator("noscript p").filter({ hasText: "doesn’t update itself" })).toBeVisible();
});

// By the element, because Playwright's roles exclude the content of <noscript>.
function link(page: Page, text: string): Locator {
  return page.locator("a").filter({ hasText: text });
}

async function open(page: Page, conversation: string, peer: string): Promise<ConversationPage> {
  await page.goto(`/c/${conversation}`);
  return new ConversationPage(page, peer);
}
