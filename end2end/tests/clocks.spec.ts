import type { Page } from "@playwright/test";
import { HomePage, ready, ariaSnapshot } from "../support/pages";
import { turnServerClock } from "../support/rewrite";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

const HOUR = 60 * 60 * 1_000;

/** Shifts the page's clock by this much from the right time, but not its timers. */
async function turnClock(page: Page, ms: number): Promise<void> {
  await page.evaluate((ms) => {
    const page = window as unknown as { trueNow?: () => number };
    const now = (page.trueNow ??= Date.now);
    Date.now = () => now() + ms;
  }, ms);
}

test("a message written while the clock was ahead is sent after a reload with the right clock", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await turnClock(here.page, 30 * HOUR);
  await here.write("From tomorrow");
  await here.expectState("From tomorrow", "sending");
  await here.page.reload();
  await ready(here.page);
  await here.expectState("From tomorrow", "sending");
  network.restore();
  await here.expectStored("From tomorrow", 40_000);
  await here.expectBodies("From tomorrow");
});

test("messages keep their order when the clock is turned back between them", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await turnClock(here.page, 5 * HOUR);
  await here.write("First, with a clock ahead");
  await here.expectState("First, with a clock ahead", "sending");
  // The ids that one page makes always increase; those of the next page might not.
  await here.page.reload();
  await ready(here.page);
  await here.write("Second, with the right clock");
  await here.expectState("Second, with the right clock", "sending");
  await here.expectBodies("First, with a clock ahead", "Second, with the right clock");
  network.restore();
  await here.expectStored("Second, with the right clock", 40_000);
  await here.expectBodies("First, with a clock ahead", "Second, with the right clock");
  const bobHere = await bob.open(conversation, alice);
  await bobHere.expectBodies("First, with a clock ahead", "Second, with the right clock");
});

test("a message waits no longer when the clock is turned back", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await turnClock(here.page, 48 * HOUR);
  network.refuse("rate_limited");
  await here.write("Over a jump of two days");
  await network.refused("send");
  await here.expectState("Over a jump of two days", "sending");
  await turnClock(here.page, 0);
  network.refuse(undefined);
  await here.expectStored("Over a jump of two days", 40_000);
});

test.describe("dates and times", () => {
  test("at midnight Today becomes Yesterday everywhere on the page", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, "Before midnight");
    // Sets the page's clock to 50 seconds before the next midnight in Kolkata: enough for a page that opens slowly, and less than the
    // minute by which the page's clock may differ from the server's.
    const sent = new Date();
    const late = new Date(Math.ceil((sent.getTime() + 5.5 * HOUR) / (24 * HOUR)) * 24 * HOUR - 5.5 * HOUR - 50_000);
    await turnServerClock(alice.page, late.getTime() - sent.getTime());
    await alice.page.clock.install({ time: late });
    const here = await alice.open(conversation, bob);
    const day = here.log.getByRole("separator").first();
    await expect(day).toHaveAccessibleName("Today");
    await alice.page.clock.fastForward(55_000);
    await expect(day).toHaveAccessibleName("Yesterday");
    await expect(new HomePage(here.page).entry(bob.name)).toContainText("Yesterday");
  });

  for (const [what, hours] of [["slow", -25], ["fast", 25]] as const) {
    test(`a device whose clock is a day ${what} shows today's messages under Today`, async ({ alice, bob, conversation }) => {
      await bob.apiSend(conversation, "Today, whatever your clock says");
      await alice.page.clock.install({ time: new Date(Date.now() + hours * HOUR) });
      const here = await alice.open(conversation, bob);
      const days = here.log.getByRole("separator").filter({ hasNotText: "new message" });
      await expect(days).toHaveCount(1);
      await expect(days).toHaveAccessibleName("Today");
      const entry = new HomePage(here.page).entry(bob.name);
      await expect(entry).toContainText(/\d\d:\d\d/);
      await here.write("Mine too");
      await here.expectStored("Mine too");
      await expect(days).toHaveCount(1);
      await expect(entry).toContainText(/\d\d:\d\d/);
    });
  }

  test("after a sleep over midnight the page corrects its dates when it becomes visible", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, "Before the sleep");
    const { page } = alice;
    await page.clock.install({ time: new Date() });
    const here = await alice.open(conversation, bob);
    await page.clock.pauseAt(new Date(Date.now() + HOUR / 60));
    const day = here.log.getByRole("separator").first();
    await expect(day).toHaveAccessibleName("Today");
    // The clock advances without running timers.
    await page.clock.setSystemTime(new Date(Date.now() + 48 * HOUR));
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await expect(day).toHaveAccessibleName(/^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day/);
  });

  test("a change of the time zone changes times and days", async ({ createUser, bob }) => {
    // Replaces the emulated time zone.
    const zoe = await createUser("Zoe Zander", { timezoneId: undefined });
    const conversation = await bob.apiConversation(zoe);
    await bob.apiSend(conversation, "Here and there");
    const here = await zoe.open(conversation, bob);
    const { page } = here;
    const clock = async () => (await ariaSnapshot(here.message("Here and there"))).match(/\d\d:\d\d/)?.[0];
    const list = async () => (await new HomePage(page).entry(bob.name).textContent())?.match(/\d\d:\d\d|Yesterday|Today/)?.[0];
    const before = await clock();
    expect(before).toBeTruthy();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Emulation.setTimezoneOverride", { timezoneId: "America/St_Johns" });
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await expect.poll(clock).not.toBe(before);
    const expected = await page.evaluate(() => {
      const at = document.querySelector("article time")?.getAttribute("datetime") ?? "";
      return new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    });
    expect(await clock()).toBe(expected);
    if ((await list())?.includes(":")) await expect.poll(list).toBe(expected);
  });
});
