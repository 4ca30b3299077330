import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { ConversationPage, expectNoLayer, HomePage, ready, SignInPage, signOutOf } from "../support/pages";
import { expect, test } from "../support/test";

function help(page: Page): Locator {
  return page.getByRole("dialog", { name: "Keyboard shortcuts" });
}

/** Presses Tab until an element has the focus. Fails if the focus is trapped or never reaches the element. */
async function tabTo(page: Page, target: Locator, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`40 presses of ${key} did not reach ${target}`);
}

test("a user can sign in, chat and sign out by keyboard alone", async ({ alice, bob, createUser, conversation }) => {
  test.slow();
  const carol = await createUser("Carol Cole");
  await bob.apiSend(conversation, ...Array.from({ length: 60 }, (_, index) => `Line ${index + 1}.`));
  await alice.apiRead(conversation, 60);
  await alice.context.clearCookies();
  const page = alice.page;
  const keys = page.keyboard;
  const signIn = new SignInPage(page);
  await signIn.goto();
  await ready(page);
  await tabTo(page, signIn.username);
  await keys.type(alice.username);
  await tabTo(page, signIn.password);
  await keys.type(alice.password);
  await keys.press("Enter");
  await page.waitForURL(/\/$/);
  await ready(page);

  // Find a person, open the conversation, write.
  const home = new HomePage(page);
  await keys.press("ControlOrMeta+k");
  await expect(home.search).toBeFocused();
  await keys.type("Carol");
  await expect(home.result(carol.name)).toBeVisible();
  await keys.press("ArrowDown");
  await keys.press("Enter");
  await page.waitForURL(/\/c\//);
  const carolHere = new ConversationPage(page, carol.name);
  await expect(carolHere.box).toBeFocused();
  await keys.type("Hello Carol");
  await keys.press("Enter");
  await carolHere.expectStored("Hello Carol");

  // Switch the conversation, read older messages, jump back.
  await keys.press("Alt+ArrowDown");
  const bobHere = new ConversationPage(page, bob.name);
  await expect(bobHere.heading).toBeVisible();
  await expect(bobHere.message("Line 60.")).toBeVisible();
  await tabTo(page, bobHere.box);
  await keys.press("Control+F6");
  await keys.press("Control+Shift+F6");
  await expect(bobHere.box).toBeFocused();
  await bobHere.log.focus();
  for (let presses = 0; presses < 30; presses += 1) await keys.press("PageUp");
  await expect(bobHere.message("Line 60.")).not.toBeInViewport();
  const jump = page.getByRole("button", { name: /Jump to latest/ });
  await expect(jump).toBeVisible();
  await tabTo(page, jump);
  await keys.press("Enter");
  await expect(bobHere.message("Line 60.")).toBeInViewport();

  // Show the shortcuts, then sign out.
  await tabTo(page, bobHere.box);
  await keys.press("ControlOrMeta+/");
  await expect(help(page)).toBeVisible();
  await keys.press("Escape");
  await expect(help(page)).toBeHidden();
  await expectNoLayer(page);
  await expect(bobHere.box).toBeFocused();
  await tabTo(page, signOutOf(page), "Shift+Tab");
  await keys.press("Enter");
  await page.waitForURL(/\/sign-in/);
});

test("the list is a single tab stop, and arrow keys move within the list", async ({ alice, bob, createUser, conversation }) => {
  const names = ["Carol Cole", "Dora Dean"];
  await bob.apiSend(conversation, "From Bob");
  for (const name of names) {
    const other = await createUser(name);
    await other.apiSend(await other.apiConversation(alice), `From ${name}`);
  }
  const home = await alice.home();
  const { page } = home;
  const links = home.list.locator(".list-entry");
  await expect(links).toHaveCount(3);
  await expect(home.list.locator(".list-entry:not([tabindex='-1'])")).toHaveCount(1);
  await tabTo(page, links.nth(0));
  await page.keyboard.press("ArrowDown");
  await expect(links.nth(1)).toBeFocused();
  await page.keyboard.press("End");
  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press("Home");
  await expect(links.nth(0)).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("Tab");
  await expect(links.nth(2)).not.toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await expect(links.nth(0)).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/c\//);
  // Tab returns to the open conversation.
  const here = new ConversationPage(page, bob.name);
  await expect(here.box).toBeFocused();
  await expect(home.entry(bob.name)).not.toHaveAttribute("tabindex", "-1");
});

test("Alt with an arrow key moves through the conversations, and with Shift through those with unread messages", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  const dora = await createUser("Dora Dean");
  const [withCarol, withDora] = [await alice.apiConversation(carol), await alice.apiConversation(dora)];
  // Newest first: Dora, Carol, Bob.
  await bob.apiSend(conversation, "From Bob");
  await carol.apiSend(withCarol, "From Carol");
  await alice.apiRead(withCarol, 1);
  await alice.apiSend(withDora, "To Dora");
  const home = await alice.home();
  const { keyboard } = home.page;
  const expectOpen = (id: string) => expect.poll(() => new URL(home.page.url()).pathname).toBe(`/c/${id}`);
  await keyboard.press("Alt+ArrowDown");
  await expectOpen(withDora);
  await keyboard.press("Alt+ArrowDown");
  await expectOpen(withCarol);
  await keyboard.press("Alt+ArrowUp");
  await expectOpen(withDora);
  await expect(new ConversationPage(home.page, dora.name).box).toBeFocused();
  await keyboard.press("Alt+Shift+ArrowDown");
  await expectOpen(conversation);
  await home.expectUnread(bob.name, 0);
  await keyboard.press("Alt+Shift+ArrowUp");
  await expectOpen(conversation);
});

test("the list of shortcuts opens by its shortcut, disables the other shortcuts meanwhile, and returns the focus", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const { page } = here;
  await here.box.focus();
  await page.keyboard.press("ControlOrMeta+/");
  const sheet = help(page);
  await expect(sheet).toBeVisible();
  await expect(sheet.getByText("Find a person")).toBeVisible();
  await expect(sheet.locator("kbd").filter({ hasText: /^Ctrl$|⌘/ }).first()).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await expect(sheet).toBeVisible();
  await page.keyboard.press("Alt+ArrowDown");
  await expect(here.heading).toBeVisible();
  await sheet.getByRole("button", { name: "Close" }).click();
  await expect(sheet).toBeHidden();
  await expect(here.box).toBeFocused();
  await page.keyboard.press("ControlOrMeta+/");
  await expect(sheet).toBeVisible();
  await page.mouse.click(5, 5);
  await expect(sheet).toBeHidden();

  // A mouse click shows no focus ring.
  await expectNoLayer(page);
  await page.goto("/settings");
  await ready(page);
  const button = page.getByRole("button", { name: "Show all shortcuts" });
  await button.click();
  await expect(sheet).toBeVisible();
  await expect(sheet.getByRole("button", { name: "Close" })).not.toBeFocused();
  await expect(page.locator(":focus-visible")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(button).toBeFocused();
});

for (const [colorScheme, locale] of [
  ["light", "en-GB"],
  ["dark", "ar"],
] as const) {
  test(`axe finds no violation in the list of shortcuts, ${colorScheme}, ${locale}`, async ({ createUser, bob }) => {
    const anna = await createUser("Anna Ash", { colorScheme, locale });
    const here = await anna.open(await anna.apiConversation(bob), bob);
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      await here.page.setViewportSize(viewport);
      await here.page.keyboard.press("ControlOrMeta+/");
      const sheet = here.page.locator("dialog[open]");
      await expect(sheet).toBeVisible();
      const { violations } = await new AxeBuilder({ page: here.page }).include("dialog[open]").analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`)).toEqual([]);
      await here.page.keyboard.press("Escape");
      await expect(sheet).toHaveCount(0);
    }
  });
}

test("Ctrl+F6 moves through the sections of the page", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "All around");
  const here = await alice.open(conversation, bob);
  const { page } = here;
  await expect(here.box).toBeFocused();
  const parts: string[] = [];
  for (let presses = 0; presses < 5; presses += 1) {
    await page.keyboard.press("Control+F6");
    const part = await page.evaluate(() => document.activeElement?.closest(".people-search, .conversation-list, .profile-bar, .timeline-frame, .composer-frame")?.className);
    parts.push(part ?? "nothing");
  }
  expect(parts).toEqual(["people-search", "conversation-list", "profile-bar", "timeline-frame", "composer-frame"]);
});

test("text typed or pasted anywhere in a conversation goes into the message box", async ({ alice, bob, conversation }) => {
  await alice.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await bob.apiSend(conversation, ...Array.from({ length: 40 }, (_, index) => `Line ${index + 1}.`));
  await alice.apiRead(conversation, 40);
  const here = await alice.open(conversation, bob);
  const { page } = here;
  const { keyboard } = page;
  const last = here.message("Line 40.");
  const expectTyped = async (what: string, text: string) => {
    await keyboard.type(text);
    await expect(here.box, what).toHaveValue(text);
    await expect(here.box, what).toBeFocused();
    await here.box.fill("");
  };
  await here.log.click({ position: { x: 4, y: 200 } });
  await expect(here.box).not.toBeFocused();
  await expectTyped("after a click beside the messages", "one");
  await last.click();
  await expectTyped("after a click on a message", "two words");
  await keyboard.press("ArrowUp");
  await here.log.focus();
  await keyboard.press("ArrowUp");
  await expectTyped("from a message that has the focus", "Three?");
  await here.log.focus();
  await keyboard.press("Control+Home");
  await page.getByRole("button", { name: /Jump to latest/ }).click();
  await expect(last).toBeInViewport();
  await expect(here.box).toBeFocused();
  await expectTyped("after the jump to the latest", "four");
  await last.hover();
  await page.getByRole("button", { name: "Message menu" }).click();
  await page.getByRole("menuitem", { name: "Copy text" }).click();
  await expect(page.getByRole("menu")).toBeHidden();
  await expectTyped("after the menu of a message", "five");
  await last.hover();
  await page.getByRole("button", { name: "Message menu" }).click();
  await expect(page.getByRole("menuitem", { name: "Copy text" })).toBeFocused();
  await keyboard.press("Escape");
  await expect(here.box).toBeFocused();
  await expectTyped("after a menu that was closed", "six");
  await page.getByRole("button", { name: "Emoji" }).click();
  await expect(page.getByRole("dialog", { name: "Emoji" })).toBeVisible();
  await keyboard.press("Escape");
  await expect(page.getByRole("dialog", { name: "Emoji" })).toBeHidden();
  await expectTyped("after the emoji", "seven");

  // By paste, input method and dead key.
  await last.click();
  await page.evaluate(() => navigator.clipboard.writeText("From elsewhere"));
  await keyboard.press("ControlOrMeta+v");
  await expect(here.box).toHaveValue("From elsewhere");
  await here.box.fill("");
  for (const key of ["Process", "Dead", "\u0644\u0627"]) {
    await last.click();
    await page.evaluate((key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })), key);
    await expect(here.box, key).toBeFocused();
  }

  // Space on the log or a button, and commands, are not typed text.
  for (const press of ["Space", "Control+b", "F2", "Alt+x"]) {
    await here.log.focus();
    await keyboard.press(press);
    await expect(here.log, press).toBeFocused();
  }
  await page.getByRole("link", { name: /Settings/ }).focus();
  await keyboard.press("Space");
  await expect(here.box).toHaveValue("");
});

test.describe("on a touch screen", () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });

  test("a pressed button that disappears moves the focus within the page, and does not open the keyboard", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, ...Array.from({ length: 40 }, (_, index) => `Line ${index + 1}.`));
    await alice.apiRead(conversation, 40);
    const here = await alice.open(conversation, bob);
    await here.log.evaluate((log) => log.scrollBy(0, -log.scrollHeight));
    await here.page.getByRole("button", { name: /Jump to latest/ }).tap();
    await expect(here.message("Line 40.")).toBeInViewport();
    await expect.poll(() => here.page.evaluate(() => document.activeElement?.closest("main")?.id)).toBe("content");
    await expect(here.box).not.toBeFocused();
  });
});

test("on a phone Ctrl+K leads from the conversation to the search", async ({ alice, bob, conversation }) => {
  await alice.page.setViewportSize({ width: 390, height: 844 });
  const here = await alice.open(conversation, bob);
  await here.page.keyboard.press("ControlOrMeta+k");
  await here.page.waitForURL(/\/$/);
  await expect(new HomePage(here.page).search).toBeFocused();
});
