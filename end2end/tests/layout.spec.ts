import { ready } from "../support/pages";
import { painted } from "../support/painting";
import { expect, test } from "../support/test";

const LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft and https://example.org/a/very/long/address/that/does/not/end/anywhere?soon=no";

test("no content is cut off or outside of the window from 320 to 2560 pixels", async ({ alice, bob, conversation, watch }) => {
  test.slow();
  watch.allow(/status of 404/);
  await bob.apiSend(conversation, LONG, "Short");
  await alice.apiSend(conversation, LONG);
  const { page } = alice;
  for (const path of ["/", `/c/${conversation}`, "/settings", "/invite", "/nothing/here"]) {
    await page.goto(path);
    await ready(page);
    for (const width of [320, 390, 600, 767, 768, 820, 1024, 1920, 2560]) {
      await page.setViewportSize({ width, height: width < 768 ? 640 : 900 });
      await painted(page);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(beyond, `${path} at ${width}`).toBeLessThanOrEqual(0);
      if (path.startsWith("/c/")) {
        await expect(page.getByRole("textbox", { name: "Message" }), `composer at ${width}`).toBeInViewport({ ratio: 1 });
        await expect(page.getByRole("heading", { name: bob.name }), `header at ${width}`).toBeInViewport({ ratio: 1 });
        const cut = await page.getByRole("log").evaluate((log) => log.scrollWidth - log.clientWidth);
        expect(cut, `messages at ${width}`).toBeLessThanOrEqual(0);
      }
    }
  }
});

test("the page is usable at 200 % zoom", async ({ alice, bob, conversation }) => {
  // 1280 by 720 at 200 per cent is a window of 640 by 360.
  await alice.page.setViewportSize({ width: 640, height: 360 });
  const here = await alice.open(conversation, bob);
  await here.write("Large and plain");
  await here.expectStored("Large and plain");
  await expect(here.message("Large and plain")).toBeInViewport();
  await alice.page.goto("/settings");
  await ready(alice.page);
  await alice.page.getByRole("button", { name: "Change password" }).scrollIntoViewIfNeeded();
  await expect(alice.page.getByRole("button", { name: "Change password" })).toBeInViewport();
});

test.describe("in forced colours", () => {
  test.use({ contextOptions: { forcedColors: "active" } });

  test("bubbles, switches, choices and the open conversation are distinguishable", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, "Hello");
    const here = await alice.open(conversation, bob);
    const border = (selector: string) => alice.page.locator(selector).first().evaluate((element) => getComputedStyle(element).borderTopStyle);
    await expect(here.message("Hello")).toBeVisible();
    expect(await border(".bubble")).toBe("solid");
    expect(await border(".send")).toBe("solid");
    const current = alice.page.locator('.list-entry[aria-current="page"]');
    expect(await current.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe("solid");
    await alice.page.goto("/settings");
    await ready(alice.page);
    const chosen = alice.page.getByRole("radio", { name: "System" });
    expect(await chosen.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe("solid");
    // The native checkbox, which keeps its contrast.
    expect(await alice.page.getByRole("switch", { name: "Read receipts" }).evaluate((element) => getComputedStyle(element).appearance)).not.toBe("none");
  });
});

test("controls have the page's own appearance, except in forced colours", async ({ alice }) => {
  const { page } = alice;
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto("/settings");
  await ready(page);
  const appearance = () => page.locator("select").first().evaluate((select) => getComputedStyle(select).appearance);
  expect(await appearance()).toBe("none");
  await page.emulateMedia({ forcedColors: "active" });
  expect(await appearance()).not.toBe("none");
  for (const button of await page.locator(".button-primary, .button-quiet").all()) {
    expect(await button.evaluate((element) => getComputedStyle(element).textAlign)).toBe("center");
  }
});

test("a user who prefers reduced motion gets no motion", async ({ alice, bob, conversation }) => {
  await alice.page.emulateMedia({ reducedMotion: "reduce" });
  await alice.open(conversation, bob);
  const longest = await alice.page.evaluate(() => {
    const seconds = (list: string) => Math.max(...list.split(",").map((time) => Number.parseFloat(time) * (time.includes("ms") ? 0.001 : 1)));
    return Math.max(...[...document.querySelectorAll("*")].map((element) => seconds(getComputedStyle(element).transitionDuration)));
  });
  expect(longest).toBeLessThan(0.001);
});
