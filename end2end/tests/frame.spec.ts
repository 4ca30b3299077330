import type { Locator, Page } from "@playwright/test";
import { ApiUser } from "../support/api-user";
import { expectFrame, expectFrameInEverySize, expectWheelMovesNothing, SIZES } from "../support/frame";
import { expectNoLayer, HomePage, ready, SignInPage, signOutOf, SignUpPage } from "../support/pages";
import { painted } from "../support/painting";
import { fillConversation } from "../support/user";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { Network } from "../support/network";

/** The list comes in pages of 50. */
const MANY = 60;
const PHONE = { width: 390, height: 844 };
const WIDE = { width: 1280, height: 800 };

async function createManyUsers(server: Server): Promise<ApiUser[]> {
  const users: ApiUser[] = [];
  for (let n = 0; n < MANY; n += 1) users.push(await ApiUser.create(server, `person${String(n).padStart(2, "0")}`));
  return users;
}

/** The bounding box of a part of the page. */
async function boxOf(part: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await part.boundingBox();
  if (!box) throw new Error(`${part} is not shown`);
  return box;
}

test("on a page with a card the card scrolls, and the window does not", async ({ page, alice, watch }) => {
  test.slow();
  watch.allow(REFUSAL);
  for (const address of ["/sign-in", "/sign-up", "/nothing/here", "/invite/nothing"]) {
    await page.goto(address);
    await ready(page);
    await expectFrameInEverySize(page, address);
  }
  const signUp = new SignUpPage(page);
  await signUp.goto();
  await ready(page);
  await signUp.submit("al", "Al", "short");
  await expect(page.locator("[aria-invalid]").first()).toBeVisible();
  await expectFrameInEverySize(page, "a refused sign-up");
  await page.setViewportSize({ width: 844, height: 390 });
  await expectWheelMovesNothing(page, ".card");
  await signUp.create.scrollIntoViewIfNeeded();
  await expect(signUp.create).toBeInViewport({ ratio: 1 });
  const signIn = new SignInPage(page);
  await signIn.goto();
  await ready(page);
  await signIn.submit("nobody", "not the password");
  await expect(page.getByRole("alert").filter({ hasText: /\w/ })).toBeVisible();
  await expectFrameInEverySize(page, "a refused sign-in");
  await alice.page.goto("/nothing/here");
  await expectFrameInEverySize(alice.page, "no page at an address, signed in");
});

test("with many users and no conversations every control is reachable in every size", async ({ server, alice }) => {
  test.slow();
  await createManyUsers(server);
  const home = await alice.home();
  const { page } = home;
  for (const size of SIZES) {
    await page.setViewportSize(size);
    await painted(page);
    const within = `${size.width} by ${size.height}`;
    await expect(home.search, within).toBeInViewport({ ratio: 1 });
    for (const part of [home.list.locator(".profile-link"), signOutOf(page)]) await expect(part, within).toBeInViewport({ ratio: 1 });
    const invite = home.list.getByRole("link", { name: /invite/i }).last();
    await invite.scrollIntoViewIfNeeded();
    await expect(invite, within).toBeInViewport({ ratio: 1 });
    await home.search.fill("person5");
    await expect(home.result("person59")).toBeVisible();
    await expectFrame(page, `people found, ${within}`);
    const last = page.getByRole("option").last();
    await last.scrollIntoViewIfNeeded();
    await expect(last, within).toBeInViewport({ ratio: 0.9 });
    await expect(home.list.locator(".profile-link"), within).toBeInViewport({ ratio: 1 });
    await home.search.fill("");
    await page.keyboard.press("Escape");
  }
  await expectFrameInEverySize(page, "an empty list");
});

test("a long list scrolls inside its pane, and its older entries load without a jump", async ({ server, alice, watch }) => {
  test.slow();
  watch.allow(OUTAGE);
  const me = await alice.apiId();
  for (const user of await createManyUsers(server)) {
    const conversation = await user.openConversation(me);
    await alice.apiAccept(conversation);
    await user.send(conversation, `Hello from ${user.name}`);
  }
  await alice.page.setViewportSize(WIDE);
  const home = await alice.home();
  const { page } = home;
  await expectFrameInEverySize(page, "a long list");
  await page.setViewportSize({ width: 844, height: 390 });
  await painted(page);
  expect((await boxOf(page.locator(".conversation-list"))).height, "the list fills most of a phone in landscape").toBeGreaterThan(390 * 0.6);
  await page.setViewportSize(WIDE);
  for (const part of [".pane-list-header", ".profile-bar", ".conversation-list"]) await expectWheelMovesNothing(page, part);

  const entries = home.list.getByRole("link").filter({ hasText: "person" });
  await expect(entries).toHaveCount(50);
  await page.locator(".conversation-list").evaluate((list) => list.scrollTo(0, 0));
  // An error appears in the list, with its retry button.
  await page.route("**/api/list_conversations", (route) => route.abort());
  const last = home.entry("person10");
  await last.scrollIntoViewIfNeeded();
  const again = home.list.getByRole("button", { name: "Try again" });
  await expect(again).toBeVisible();
  await page.unroute("**/api/list_conversations");
  await again.scrollIntoViewIfNeeded();
  const before = await boxOf(last);
  await again.click();
  await expect(entries).toHaveCount(MANY);
  await painted(page);
  expect(Math.abs((await boxOf(last)).y - before.y), "the entry in view does not move").toBeLessThan(2);
  await expect(home.list.getByRole("button", { name: /Try again|Older|Loading/ })).toHaveCount(0);

  // By keyboard alone.
  await page.reload();
  await ready(page);
  await entries.first().focus();
  await page.keyboard.press("End");
  await expect(entries).toHaveCount(MANY);
  await page.keyboard.press("ArrowDown");
  await expect(home.entry("person09")).toBeFocused();
  await expectFrame(page, "the end of a long list");
});

test("the frame of a conversation does not move in any state", async ({ alice, bob, conversation, watch }) => {
  test.slow();
  watch.allow(OUTAGE);
  await fillConversation(conversation, [alice, bob], Array.from({ length: 300 }, (_, n) => `Number ${n} of three hundred`));
  await alice.apiRead(conversation, 300);
  await bob.apiSend(conversation, ...Array.from({ length: 12 }, (_, n) => `Unread ${n}`));
  const { page } = alice;
  const network = await Network.of(alice.context);
  await page.setViewportSize(PHONE);
  const here = await alice.open(conversation, bob);
  await expect(here.divider(12)).toBeInViewport();
  await expectFrame(page, "opened with unread messages on a phone");
  await expectFrameInEverySize(page, "a long conversation");
  await page.setViewportSize(WIDE);
  for (const part of [".conversation-header", ".composer-frame", ".timeline"]) await expectWheelMovesNothing(page, part);

  await here.box.focus();
  for (const [what, open] of Object.entries(layers(page))) {
    await open();
    await expectFrameInEverySize(page, what, [SIZES[0], WIDE] as typeof SIZES);
    await page.keyboard.press("Escape");
    await expectNoLayer(page);
  }

  for (const width of [390, 800, 900, 1280, 2560]) {
    await page.setViewportSize({ width, height: 800 });
    await painted(page);
    const [rows, composer] = [await boxOf(page.locator(".timeline-inner")), await boxOf(page.locator(".composer"))];
    expect(rows.x, `rows and composer are aligned at ${width}`).toBeCloseTo(composer.x, 0);
    expect(rows.x + rows.width, `rows and composer are aligned at ${width}`).toBeCloseTo(composer.x + composer.width, 0);
  }

  // The banner takes space above the rows, and the rows in view do not move.
  for (const [size, list] of [[WIDE, 0], [PHONE, 0], [WIDE, -600]] as const) {
    await page.setViewportSize(size);
    await painted(page);
    await here.log.evaluate((log, top) => log.scrollTo(0, top), list);
    await painted(page);
    const row = here.messages.nth((await here.messages.count()) - (list === 0 ? 1 : 12));
    const before = await boxOf(row);
    await network.cut();
    const banner = page.locator(".banner:not(.hidden)").first();
    await expect(banner).toBeVisible();
    await painted(page);
    const [shown, pane] = [await boxOf(banner), await boxOf(page.locator("main.pane-conversation"))];
    const [header, timeline] = [await boxOf(page.locator(".conversation-header")), await boxOf(page.locator(".timeline"))];
    expect(shown.x + shown.width / 2, "in the middle of its pane").toBeCloseTo(pane.x + pane.width / 2, 0);
    expect(shown.y, "below the header").toBeGreaterThanOrEqual(header.y + header.height);
    expect(shown.y + shown.height, "above the rows").toBeLessThanOrEqual(timeline.y);
    expect((await boxOf(row)).y, "the row in view").toBeCloseTo(before.y, 0);
    await expectFrame(page, "with a banner");
    network.restore();
    await expect(banner).toBeHidden();
    await painted(page);
    expect((await boxOf(row)).y, "the row in view").toBeCloseTo(before.y, 0);
  }
});

/** The layers above a conversation, and how to open them. */
function layers(page: Page): Record<string, () => Promise<void>> {
  return {
    "a message's menu": async () => {
      await page.getByRole("article").last().hover();
      await page.getByRole("button", { name: "Message menu" }).click();
      await expect(page.getByRole("menu")).toBeVisible();
    },
    "the list of keys": async () => {
      await page.keyboard.press("Control+/");
      await expect(page.getByRole("dialog")).toBeVisible();
    },
    "the emoji": async () => {
      await page.getByRole("button", { name: "Emoji" }).click();
      await expect(page.getByRole("dialog").getByRole("option").first()).toBeVisible();
    },
  };
}

test("the frames of settings and invitations do not move at any scroll position", async ({ alice }) => {
  const { page } = alice;
  for (const address of ["/settings", "/invite"]) {
    await page.goto(address);
    await ready(page);
    await expectFrameInEverySize(page, address);
    await page.setViewportSize({ width: 320, height: 640 });
    await page.locator(".settings").evaluate((pane) => pane.scrollTo(0, pane.scrollHeight));
    await expectFrameInEverySize(page, `the end of ${address}`);
    await page.setViewportSize(WIDE);
    await expectWheelMovesNothing(page, ".conversation-header");
  }
});

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("no element covers the name and the back arrow, and the page does not move", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, ...Array.from({ length: 60 }, (_, n) => `Line ${n}`));
    const { page } = alice;
    await page.setViewportSize(PHONE);
    for (const address of ["/", `/c/${conversation}`, "/settings"]) {
      await page.goto(address);
      const heights = await page.evaluate(() => [document.scrollingElement?.scrollHeight, innerHeight]);
      expect(heights[0], address).toBe(heights[1]);
      const banner = await boxOf(page.locator("noscript .banner"));
      const header = await boxOf(page.locator("header:visible").first());
      expect(banner.y, address).toBeGreaterThanOrEqual(header.y + header.height - 1);
    }
    await page.goto(`/c/${conversation}`);
    await page.getByRole("link", { name: "Back to conversations" }).click();
    await expect(new HomePage(page).entry(bob.name)).toBeVisible();
  });
});
