import type { Page } from "@playwright/test";
import { recordAppearances } from "../support/appearances";
import { type ConversationPage, expectNoLayer } from "../support/pages";
import { steadyTop } from "../support/painting";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

const RLO = "\u202e";

test("the unread divider does not move, and Escape removes it and scrolls to the newest message", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 30 }, (_, index) => `Earlier ${index + 1}`));
  await bob.apiRead(conversation, 28);
  const here = await bob.open(conversation, alice);
  await expect(here.divider(2)).toBeVisible();
  await alice.apiSend(conversation, "One more");
  await expect(here.message("One more")).toBeVisible();
  await expect(here.divider(2)).toBeVisible();
  const after = await here.divider(2).evaluate((divider) => divider.closest("li")?.querySelector("article")?.textContent);
  expect(after).toContain("Earlier 29");
  await here.box.press("Escape");
  await expect(here.log.getByRole("separator", { name: /new message/ })).toHaveCount(0);
  await expect(here.message("One more")).toBeInViewport();
});

test("the button to the latest message counts new messages", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 60 }, (_, index) => `Earlier ${index + 1}`));
  await bob.apiRead(conversation, 60);
  const here = await bob.open(conversation, alice);
  const jump = here.page.getByRole("button", { name: /latest/ });
  await expect(jump).toBeHidden();
  await here.log.evaluate((log) => log.scrollBy(0, -2_000));
  await expect(jump).toBeVisible();
  await alice.apiSend(conversation, "First of two", "Second of two");
  await expect(jump).toHaveAccessibleName(/2 new messages/);
  await jump.click();
  await expect(here.message("Second of two")).toBeInViewport();
  await expect(jump).toBeHidden();
});

test("the day is shown during scrolling and is hidden from screen readers", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 60 }, (_, index) => `Earlier ${index + 1}`));
  await bob.apiRead(conversation, 60);
  const here = await bob.open(conversation, alice);
  const chip = here.page.locator(".day-chip");
  await expect(chip).toHaveCSS("opacity", "0");
  await expect(chip).toHaveAttribute("aria-hidden", "true");
  const shown = await recordAppearances(here.page, ".day-chip.is-shown");
  await here.log.hover();
  await here.page.mouse.wheel(0, -600);
  await expect.poll(shown).toContain("Today");
  await expect(chip).toHaveAttribute("aria-hidden", "true");
  await expect(chip).not.toHaveClass(/is-shown/);
});

test("the server renders a long message folded, and it unfolds and folds in place", async ({ alice, bob, conversation }) => {
  const long = Array.from({ length: 40 }, (_, index) => `Verse ${index + 1}`).join("\n");
  await alice.apiSend(conversation, ...Array.from({ length: 20 }, (_, index) => `Before it ${index}`), long, "After it");
  await bob.apiRead(conversation, 22);
  const here = await bob.open(conversation, alice);
  const message = here.message("Verse 40");
  const fold = message.getByRole("button", { name: "Read more" });
  await expect(fold).toHaveAttribute("aria-expanded", "false");
  const low = await height(message);
  const top = await steadyTop(message);
  await fold.click();
  const unfold = message.getByRole("button", { name: "Show less" });
  await expect(unfold).toHaveAttribute("aria-expanded", "true");
  expect(await height(message)).toBeGreaterThan(low * 2);
  expect(Math.abs((await steadyTop(message)) - top), "its beginning stays where it was").toBeLessThanOrEqual(1);
  await unfold.scrollIntoViewIfNeeded();
  const below = await steadyTop(unfold);
  await unfold.click();
  await expect(fold).toBeVisible();
  expect(Math.abs((await steadyTop(fold)) - below), "the button stays under the pointer").toBeLessThanOrEqual(2);
  expect(await height(message)).toBe(low);
  // The whole text can be selected.
  expect(await message.textContent()).toContain("Verse 40");
});

test("a link to an internationalised host shows its ASCII name", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "See https://аpple.com/sale and https://example.org and https://bank.example@evil.example/x");
  const here = await bob.open(conversation, alice);
  await expect(here.message("See")).toContainText("(xn--pple-43d.com)");
  await expect(here.message("See")).toContainText("(evil.example)");
  const links = here.log.getByRole("link");
  await expect(links).toHaveCount(3);
  await expect(links.nth(0)).toHaveAttribute("title", /xn--pple-43d\.com/);
  await expect(links.nth(1)).not.toHaveAttribute("title");
  for (const link of await links.all()) await expect(link).toHaveAttribute("rel", /noopener.*noreferrer/);
});

test("direction marks in a message do not affect other messages", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, `plain ${RLO}turned`, "شكرا جزيلا, thanks");
  const here = await bob.open(conversation, alice);
  const styles = await here.log.locator(".body").evaluateAll((bodies) => bodies.map((body) => getComputedStyle(body).unicodeBidi));
  expect(new Set(styles)).toEqual(new Set(["plaintext"]));
  // The time after the text still runs from left to right: its first digit is left of its last.
  const order = await here.message("plain").locator("time").evaluate((time) => {
    const text = time.firstChild as Text;
    const at = (index: number) => {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + 1);
      return range.getBoundingClientRect().left;
    };
    return at(0) < at(text.length - 1);
  });
  expect(order).toBe(true);
  const sides = await here.message("شكرا").locator(".body").evaluate((body) => getComputedStyle(body).direction);
  expect(sides).toBe("rtl");
  await expect(here.page.getByRole("navigation", { name: "Conversations" }).locator("bdi").first()).toContainText("شكرا");
});

test("the message menu copies the text and the link, and returns the focus", async ({ alice, bob, conversation, server }) => {
  await bob.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url });
  await alice.apiSend(conversation, "Copy me");
  const here = await bob.open(conversation, alice);
  await here.message("Copy me").hover();
  await here.page.getByRole("button", { name: "Message menu" }).click();
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  await expect(menu.getByRole("menuitem", { name: "Copy text" })).toBeFocused();
  await here.page.keyboard.press("ArrowDown");
  await expect(menu.getByRole("menuitem", { name: "Copy link" })).toBeFocused();
  await here.page.keyboard.press("ArrowDown");
  await expect(menu.getByRole("menuitem", { name: "Copy text" })).toBeFocused();
  await here.page.keyboard.press("Enter");
  await expect(menu).toBeHidden();
  await expect.poll(() => clipboard(here.page)).toBe("Copy me");

  await here.message("Copy me").hover();
  await here.page.getByRole("button", { name: "Message menu" }).click();
  await menu.getByRole("menuitem", { name: "Copy link" }).click();
  await expect.poll(() => clipboard(here.page)).toBe(`${server.url}/c/${conversation}?m=1`);
  await expectNoLayer(here.page);
  await here.page.goto(await clipboard(here.page));
  await expect(here.message("Copy me")).toBeInViewport();
});

test("a long press opens the menu, and a tap elsewhere closes the menu", async ({ alice, createUser }) => {
  const dora = await createUser("Dora Dale", { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });
  const conversation = await dora.apiConversation(alice);
  await alice.apiSend(conversation, "Hold me");
  const here = await dora.open(conversation, alice);
  const box = await here.message("Hold me").boundingBox();
  const touch = await dora.context.newCDPSession(here.page);
  const point = { x: (box?.x ?? 0) + 20, y: (box?.y ?? 0) + 15 };
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  await expect(menu).toBeVisible();
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await steadyTop(menu);
  await expect(menu).toBeVisible();
  await here.page.touchscreen.tap(200, 300);
  await expect(menu).toBeHidden();
});

test("the log is a single tab stop: arrow keys move between messages, Enter opens the menu, Escape closes the menu", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "First", "Second with https://example.org/a", "Third");
  await bob.apiSend(conversation, "Mine");
  const here = await bob.open(conversation, alice);
  await here.box.focus();
  await here.page.keyboard.press("ArrowUp");
  await expect(here.message("Mine")).toBeFocused();
  await here.page.keyboard.press("ArrowUp");
  await expect(here.message("Third")).toBeFocused();
  await here.page.keyboard.press("ArrowUp");
  const second = here.message("Second");
  await expect(second).toBeFocused();
  await expect(second).toHaveAttribute("aria-label", /Alice Arden: Second/);
  await here.page.keyboard.press("Tab");
  await expect(second.getByRole("link")).toBeFocused();
  await here.page.keyboard.press("Shift+Tab");
  await expect(second).toBeFocused();
  await here.page.keyboard.press("Home");
  await expect(here.message("First")).toBeFocused();
  await expect(here.log.locator("[tabindex='0']"), "a single stop").toHaveCount(1);
  await expect(here.log).toHaveAttribute("tabindex", "-1");
  await here.page.keyboard.press("End");
  await expect(here.message("Mine")).toBeFocused();
  await here.page.keyboard.press("Enter");
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  await expect(menu.getByRole("menuitem", { name: "Copy text" })).toBeFocused();
  await here.page.keyboard.press("Escape");
  await expect(menu).toBeHidden();
  await expect(here.message("Mine")).toBeFocused();
  await here.page.keyboard.press("Shift+F10");
  await expect(menu).toBeVisible();
  await here.page.keyboard.press("Escape");
  await here.page.keyboard.press("Escape");
  await expect(here.box).toBeFocused();
});

test("Page Up and Page Down scroll while text is in the box, and Ctrl+Home and Ctrl+End do only while the box is empty", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 45 }, (_, index) => `Earlier ${index + 1}`));
  await bob.apiRead(conversation, 45);
  const here = await bob.open(conversation, alice);
  await here.box.pressSequentially("half a sent");
  await here.box.press("PageUp");
  await expect(here.message("Earlier 45")).not.toBeInViewport();
  await here.box.press("PageDown");
  await expect(here.message("Earlier 45")).toBeInViewport();
  await here.box.press("Control+Home");
  await expect(here.message("Earlier 45")).toBeInViewport();
  await here.box.fill("");
  await here.box.press("Control+Home");
  await expect(here.message("Earlier 1").first()).toBeInViewport();
  await here.box.press("Control+End");
  await expect(here.message("Earlier 45")).toBeInViewport();
  await expect(here.box).toBeFocused();
});

test("the ticks describe in words the state of a message and the reason for waiting", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  const note = here.page.getByRole("dialog", { name: "Details" });
  await here.write("Nobody there");
  await here.expectState("Nobody there", "sent");
  await here.message("Nobody there").locator(".ticks").click();
  await expect(note).toContainText(/Sent .*\d\d:\d\d.*Not delivered yet/);
  await here.page.keyboard.press("Escape");
  await expect(note).toBeHidden();

  const there = await bob.open(conversation, alice);
  await expect(there.message("Nobody there")).toBeVisible();
  await here.expectState("Nobody there", "read");
  await here.message("Nobody there").locator(".ticks").click();
  await expect(note).toContainText(/Delivered \d\d:\d\dRead \d\d:\d\d/);
  await here.box.click();
  await expect(note).toBeHidden();

  await network.cut();
  await here.write("Into the void");
  await here.expectState("Into the void", "sending");
  await here.message("Into the void").locator(".ticks").click();
  await expect(note).toContainText("Waiting for a connection");
});

test("a screen reader announces a peer's message once, but neither the user's own messages nor older pages of history", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 80 }, (_, index) => `Earlier ${index + 1}.`));
  await bob.apiRead(conversation, 80);
  const here = await bob.open(conversation, alice);
  await here.page.evaluate(() => {
    const announced: string[] = [];
    Object.assign(window, { announced });
    new MutationObserver((changes) => {
      for (const change of changes) {
        const region = (change.target as Element).closest("[aria-live], [role=log], [role=status], [role=alert]");
        if (region && region.getAttribute("aria-live") !== "off") for (const node of change.addedNodes) if (node.textContent) announced.push(node.textContent);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
  const announced = () => here.page.evaluate(() => (window as unknown as { announced: string[] }).announced);
  await here.write("My own words");
  await here.expectStored("My own words");
  await here.log.evaluate((log) => log.scrollBy(0, -10_000));
  await expect(here.message("Earlier 1.")).toHaveCount(1);
  await alice.apiSend(conversation, "Something new");
  await expect.poll(announced).toContain("Alice Arden: Something new");
  const all = (await announced()).join("\n");
  expect(all.match(/Something new/g)).toHaveLength(1);
  expect(all).toMatch(/\d+ older messages loaded/);
  expect(all).not.toMatch(/Earlier|My own words/);
  const there = await alice.open(conversation, bob);
  await there.box.pressSequentially("Well");
  await expect.poll(announced).toContain("Alice Arden is typing");
});

test("messages in view are marked as read, also when the user leaves immediately", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  await carol.apiSend(await carol.apiConversation(bob), "Hello from Carol");
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  // Bob's page leaves by itself one frame after the message has appeared.
  await bobHere.page.evaluate((name) => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector("[role=log]")?.textContent?.includes("Leave at once")) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        [...document.querySelectorAll<HTMLElement>("nav a")].find((entry) => entry.textContent?.includes(name))?.click();
      });
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  }, carol.name);
  await aliceHere.write("Leave at once");
  await bobHere.page.waitForURL((url) => !url.pathname.includes(conversation));
  await aliceHere.expectState("Leave at once", "read");
});

async function height(part: ReturnType<ConversationPage["message"]>): Promise<number> {
  return part.evaluate((element) => element.getBoundingClientRect().height);
}

async function clipboard(page: Page): Promise<string> {
  return page.evaluate(() => navigator.clipboard.readText());
}
