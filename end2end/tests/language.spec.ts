import AxeBuilder from "@axe-core/playwright";
import { ready } from "../support/pages";
import { expect, test } from "../support/test";

test("the server renders a page in the browser's language", async ({ browser, server }) => {
  for (const [locale, lang, dir, words] of [["de-AT", "de", "ltr", "Anmelden"], ["ar-EG", "ar", "rtl", "تسجيل الدخول"], ["fr-FR", "en", "ltr", "Sign in"]] as const) {
    const context = await browser.newContext({ baseURL: server.url, locale });
    const page = await context.newPage();
    const first = await page.request.get("/sign-in", { headers: { "accept-language": locale } });
    const html = await first.text();
    expect(html).toContain(`lang="${lang}"`);
    expect(html).toContain(words);
    await page.goto("/sign-in");
    await ready(page);
    await expect(page.locator("html")).toHaveAttribute("dir", dir);
    await expect(page.getByRole("heading")).toHaveText(words);
    await context.close();
  }
});

test("a chosen language is kept on other pages, with its dates and plurals", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Eins", "Zwei");
  const { page } = alice;
  await page.goto("/settings");
  await ready(page);
  const reloaded = page.waitForEvent("load");
  await page.getByLabel("Language").selectOption("de");
  await reloaded;
  await expect(page.locator("html")).toHaveAttribute("lang", "de");
  await ready(page);
  await expect(page.getByRole("heading", { name: "Einstellungen" })).toBeVisible();
  await page.goto(`/c/${conversation}`);
  await ready(page);
  await expect(page.getByRole("separator").filter({ hasText: "2 neue Nachrichten" })).toBeVisible();
  await expect(page.getByRole("separator").filter({ hasText: "Heute" })).toBeVisible();
});

test.describe("from right to left", () => {
  test.use({ locale: "ar" });

  test("every page is mirrored, and axe finds no violation", async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, "مرحبا!", "And some English: see https://example.org");
    const { page } = alice;
    for (const path of ["/", `/c/${conversation}`, "/settings", "/invite"]) {
      await page.goto(path);
      await ready(page);
      await expect(page.locator("html")).toHaveAttribute("dir", "rtl");
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow).toBeLessThanOrEqual(0);
    }
    await page.goto(`/c/${conversation}`);
    await ready(page);
    const list = await page.getByRole("navigation").boundingBox();
    expect(list?.x).toBeGreaterThan(600);
  });
});
