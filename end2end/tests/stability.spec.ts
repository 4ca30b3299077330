import type { BrowserContextOptions, Page } from "@playwright/test";
import { holdWasm } from "../support/hold";
import { painted } from "../support/painting";
import { ConversationPage, ready } from "../support/pages";
import { fillConversation, type User } from "../support/user";
import { expect, test } from "../support/test";

// The server renders a page in its final form: no element changes or moves when the page goes live.

/** The visible texts and other elements of a page, with their positions. */
async function snapshotOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const seen: string[] = [];
    const walker = document.createTreeWalker(document.getElementById("app") as HTMLElement, NodeFilter.SHOW_ELEMENT);
    for (let element = walker.nextNode() as Element | null; element; element = walker.nextNode() as Element | null) {
      // Skips the unread counts, because reading reduces them.
      if (element.closest("noscript, .sr-only, .badge") || element.parentElement?.closest("svg")) continue;
      const { x, y, width, height } = element.getBoundingClientRect();
      if (width * height <= 1 || y + height < 0 || y > innerHeight || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent?.trim());
      const text = own.join(" ").trim();
      const isThing = /^(svg|button|textarea|input|select|img)$/.test(element.localName);
      if (text || isThing) seen.push(`${element.localName} "${text}" ${[x, y, width, height].map((side) => Math.round(side)).join(" ")}`);
    }
    return seen;
  });
}

/** Opens a page, and asserts that its content is the same before and after it goes live. */
async function expectSteady(page: Page, path: string): Promise<void> {
  const release = await holdWasm(page.context());
  // The script at the end of the document waits for the whole document and its styles.
  await page.goto(path, { waitUntil: "domcontentloaded" });
  const before = await snapshotOf(page);
  expect(before.length, path).toBeGreaterThan(5);
  release();
  await ready(page);
  await painted(page);
  expect(await snapshotOf(page), path).toEqual(before);
  expect(await page.locator("html").getAttribute("data-start"), path).toBe("hydrate");
}

/** The sum of all layout shifts since the page began to load. */
async function layoutShift(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
            if (!entry.hadRecentInput) sum += entry.value;
          }
        }).observe({ type: "layout-shift", buffered: true });
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(sum))));
      }),
  );
}

/** Short and long messages. */
const BODIES = Array.from({ length: 60 }, (_, n) => `${n} ` + "words of a longer text ".repeat((n * 7) % 13));

/** Fills a conversation with messages of the peer, of which the user has read the first half. */
async function fillHalfRead(conversation: string, user: User, peer: User): Promise<void> {
  await fillConversation(conversation, [peer], BODIES.slice(0, 30));
  await user.apiRead(conversation, 30);
  await fillConversation(conversation, [peer], BODIES.slice(30));
}

const PEOPLE: [string, BrowserContextOptions][] = [
  ["Alice Ames", { locale: "en-US", timezoneId: "America/Los_Angeles", viewport: { width: 390, height: 844 } }],
  ["Gerda Groß", { locale: "de-AT", timezoneId: "Pacific/Auckland" }],
  ["Amira Amin", { locale: "ar-JO", timezoneId: "Asia/Amman" }],
];

for (const [name, options] of PEOPLE) {
  test(`no element changes or moves when a page goes live, in ${options.locale}`, async ({ createUser, bob }) => {
    test.slow();
    const person = await createUser(name, options);
    const conversation = await bob.apiConversation(person);
    await fillHalfRead(conversation, person, bob);
    const { page } = person;
    // The first page sends the user's time zone to the server.
    await page.goto("/sign-in");
    for (const path of ["/", "/settings", `/c/${conversation}`]) await expectSteady(page, path);
    // The unread messages begin at the top, and stay there.
    const divider = page.locator(".unread-divider");
    const log = page.getByRole("log");
    const top = async () => ((await divider.boundingBox())?.y ?? 0) - ((await log.boundingBox())?.y ?? 0);
    expect(Math.abs(await top())).toBeLessThan(48);
    // The pages for signed-out users. A call of the live page without its cookie would be refused, so the page is left first.
    await page.goto("about:blank");
    await person.context.clearCookies();
    for (const path of ["/sign-in", "/sign-up"]) await expectSteady(page, path);
  });
}

test("pages on a slow phone do not shift", async ({ createUser, bob }) => {
  test.slow();
  const phone = await createUser("Pia Phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const conversation = await bob.apiConversation(phone);
  await fillHalfRead(conversation, phone, bob);
  const { page } = phone;
  await page.goto("/sign-in");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const divider = page.locator(".unread-divider");
  for (const path of ["/", "/settings", `/c/${conversation}`, `/c/${conversation}?m=12`]) {
    await page.goto(path);
    await ready(page);
    if (path === `/c/${conversation}`) await expect(divider).toBeInViewport();
    expect(await layoutShift(page), path).toBeLessThan(0.02);
  }
});

test("a reloaded page has its former scroll position before the program has loaded", async ({ alice, bob, conversation }) => {
  await fillConversation(conversation, [bob], BODIES);
  await alice.apiRead(conversation, 60);
  const here = await alice.open(conversation, bob);
  await here.messages.nth(25).scrollIntoViewIfNeeded();
  await here.log.evaluate((log) => log.scrollBy(0, -37));
  // The page notes its scroll position in the next frame.
  await painted(alice.page);
  const inView = () =>
    here.log.evaluate((log) => {
      const top = log.getBoundingClientRect().top;
      const first = [...log.querySelectorAll("article")].find((article) => article.getBoundingClientRect().top >= top);
      return `${first?.textContent} ${Math.round(first?.getBoundingClientRect().top ?? 0)}`;
    });
  const before = await inView();
  const release = await holdWasm(alice.context);
  await alice.page.reload({ waitUntil: "commit" });
  await expect(new ConversationPage(alice.page, bob.name).log).toHaveAttribute("data-placed");
  expect(await inView()).toBe(before);
  release();
  await ready(alice.page);
  expect(await inView()).toBe(before);
});
