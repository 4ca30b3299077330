import type { Locator } from "@playwright/test";
import { ConversationPage, HomePage, ready } from "../support/pages";
import { painted, steadyTop } from "../support/painting";
import { fillConversation } from "../support/user";
import { expect, test } from "../support/test";

const bodies = Array.from({ length: 130 }, (_, index) => `Line ${String(index + 1).padStart(3, "0")} of the log, ${"and so on ".repeat(index % 7)}`);
const line = (number: number) => `Line ${String(number).padStart(3, "0")} of`;

test.describe("with a hundred and thirty messages", () => {
  test.beforeEach(async ({ alice, bob, conversation }) => {
    await alice.apiSend(conversation, ...bodies);
    await bob.apiRead(conversation, 130);
  });

  test("the message in view keeps its position when the window changes its width and its height", async ({ bob, alice, conversation }) => {
    const here = await bob.open(conversation, alice);
    const anchor = await scrolledTo(here, 100);
    const before = await fromTop(here, anchor);
    for (const viewport of [
      { width: 900, height: 800 },
      { width: 900, height: 500 },
      { width: 1280, height: 900 },
      { width: 1280, height: 800 },
    ]) {
      await here.page.setViewportSize(viewport);
      await painted(here.page);
      expect(Math.abs((await fromTop(here, anchor)) - before), JSON.stringify(viewport)).toBeLessThanOrEqual(1);
    }
  });

  test("the message in view keeps its position when the composer or the text grows", async ({ bob, alice, conversation }) => {
    const here = await bob.open(conversation, alice);
    const anchor = await scrolledTo(here, 100);
    const before = await fromTop(here, anchor);
    await here.box.fill("one\ntwo\nthree\nfour\nfive");
    await painted(here.page);
    expect(Math.abs((await fromTop(here, anchor)) - before)).toBeLessThanOrEqual(1);
    await here.box.fill("");
    await here.page.evaluate(() => (document.documentElement.style.fontSize = "20px"));
    await painted(here.page);
    expect(Math.abs((await fromTop(here, anchor)) - before)).toBeLessThanOrEqual(1);
  });

  test("a view at the end stays at the end", async ({ bob, alice, conversation }) => {
    const here = await bob.open(conversation, alice);
    const last = here.message(line(130));
    await expect(last).toBeInViewport();
    await here.box.fill("one\ntwo\nthree\nfour\nfive");
    await expect.poll(() => fromEnd(here)).toBeLessThanOrEqual(1);
    await here.page.setViewportSize({ width: 700, height: 500 });
    await expect.poll(() => fromEnd(here)).toBeLessThanOrEqual(1);
    await alice.apiSend(conversation, "And one more\nof two lines");
    await expect(here.message("And one more")).toBeInViewport({ ratio: 1 });
    await here.log.evaluate((log) => log.scrollBy(0, -30));
    await alice.apiSend(conversation, "And the very last");
    await expect(here.message("And the very last")).toBeInViewport({ ratio: 1 });
  });

  test("the scroll position is kept after leaving and returning, Back, and a reload", async ({ bob, alice, createUser, conversation }) => {
    const carol = await createUser("Carol Cole");
    await carol.apiSend(await carol.apiConversation(bob), "Hello from Carol");
    const here = await bob.open(conversation, alice);
    const home = new HomePage(here.page);
    const anchor = await scrolledTo(here, 40);
    const before = await fromTop(here, anchor);
    const same = async (what: string) => {
      await expect(anchor, what).toBeInViewport();
      await expect.poll(async () => Math.abs((await fromTop(here, anchor)) - before), what).toBeLessThanOrEqual(1);
    };

    await home.entry(carol.name).click();
    await expect(new ConversationPage(here.page, carol.name).message("Hello from Carol")).toBeVisible();
    await home.entry(alice.name).click();
    await same("after the list");
    await home.entry(carol.name).click();
    await here.page.waitForURL((url) => !url.pathname.includes(conversation));
    await expect(new ConversationPage(here.page, carol.name).heading).toBeVisible();
    await here.page.goBack();
    await same("after going back");
    await here.page.reload();
    await ready(here.page);
    await same("after a reload");

    // A conversation left at its end opens at its end.
    await here.page.getByRole("button", { name: /latest/ }).click();
    await expect(here.message(line(130))).toBeInViewport();
    await here.page.reload();
    await ready(here.page);
    await expect(here.message(line(130))).toBeInViewport();
  });

  test("a conversation with messages that arrived after the user left opens at these messages, not at the old scroll position", async ({ bob, alice, conversation }) => {
    const here = await bob.open(conversation, alice);
    await scrolledTo(here, 100);
    await here.page.goto("/");
    await ready(here.page);
    await alice.apiSend(conversation, "News from today");
    await new HomePage(here.page).entry(alice.name).click();
    await expect(here.divider(1)).toBeInViewport();
    await expect(here.message("News from today")).toBeInViewport();
  });

  test("the layout does not shift while the page becomes live, nor while older messages load", async ({ bob, alice, conversation }) => {
    await bob.page.addInitScript(() => {
      Object.assign(window, { shifted: 0 });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[]) {
          if (!entry.hadRecentInput) (window as unknown as { shifted: number }).shifted += entry.value;
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    const shifted = () => bob.page.evaluate(() => (window as unknown as { shifted: number }).shifted);
    const here = await bob.open(conversation, alice);
    await painted(here.page);
    expect(await shifted(), "while the page becomes live").toBeLessThan(0.05);
    await expect(async () => {
      await here.log.evaluate((log) => log.scrollBy(0, -1500));
      await expect(here.message(line(1))).toHaveCount(1, { timeout: 200 });
    }).toPass();
    await painted(here.page);
    expect(await shifted(), "while older messages loaded").toBeLessThan(0.05);
  });
});

test("of ten thousand messages the page contains at most three hundred rows, and the first message is reachable", async ({ alice, bob, conversation }) => {
  test.setTimeout(900_000);
  await fillConversation(conversation, [bob, alice], Array.from({ length: 10_000 }, (_, index) => `${index + 1}. ${WORDS}`));
  await bob.apiRead(conversation, 10_000);
  const here = await bob.open(conversation, alice);
  await expect(here.messages.last()).toContainText(/ (99[6-9]\d|10000)\. /);
  // From a link near the beginning up to the first message, and down again beyond the rows that the page contains at a time.
  await bob.open(`${conversation}?m=700`, alice);
  await expect(here.messages.first()).toContainText(/ 6\d\d\. /);
  let most = 0;
  await expect(async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      await here.log.evaluate((log) => log.scrollBy(0, -4_000));
      await painted(here.page);
      most = Math.max(most, await here.messages.count());
    }
    await expect(here.page.getByText("Beginning of conversation")).toBeInViewport({ timeout: 200 });
  }).toPass({ timeout: 300_000 });
  await expect(here.messages.first()).toContainText(/ [1-4]?\d\. /);
  expect(most).toBeLessThanOrEqual(300);
  expect(most).toBeGreaterThanOrEqual(250);
  const seen = new Set<number>();
  while (Math.max(0, ...seen) < 600) {
    for (const text of await inView(here)) seen.add(Number(text.match(/(\d+)\. /)?.[1]));
    await here.log.evaluate((log) => log.scrollBy(0, 450));
    await painted(here.page);
    expect(await here.messages.count()).toBeLessThanOrEqual(300);
  }
  for (let number = 1; number <= 550; number += 1) expect(seen, "no message is skipped").toContain(number);
  await here.page.getByRole("button", { name: /latest/ }).click();
  await expect(here.messages.last()).toBeInViewport();
  await expect(here.messages.last()).toContainText(/ (99[6-9]\d|10000)\. /);
  await here.write("And one of mine");
  await expect(here.message("And one of mine")).toBeInViewport();
});

const WORDS = "Shall we meet at the harbour after work?";

/** Scrolls until a message is in the upper part of the view, and returns the message. */
async function scrolledTo(here: ConversationPage, number: number): Promise<Locator> {
  const message = here.message(line(number));
  await expect(async () => {
    if ((await message.count()) === 0) await here.log.evaluate((log) => log.scrollBy(0, -2_000));
    await expect(message).toHaveCount(1, { timeout: 300 });
  }).toPass();
  await message.evaluate((element) => element.scrollIntoView({ block: "start" }));
  await here.log.evaluate((log) => log.scrollBy(0, -20));
  await steadyTop(message);
  return message;
}

async function fromTop(here: ConversationPage, message: Locator): Promise<number> {
  const [top, edge] = await Promise.all([message, here.log].map((part) => part.evaluate((element) => element.getBoundingClientRect().top)));
  return (top ?? Number.NaN) - (edge ?? Number.NaN);
}

async function fromEnd(here: ConversationPage): Promise<number> {
  return here.log.evaluate((log) => Math.abs(log.scrollTop));
}

async function inView(here: ConversationPage): Promise<string[]> {
  return here.log.evaluate((log) => {
    const box = log.getBoundingClientRect();
    const rows = [...log.querySelectorAll("article")];
    return rows.filter((row) => row.getBoundingClientRect().bottom > box.top && row.getBoundingClientRect().top < box.bottom).map((row) => row.textContent ?? "");
  });
}

