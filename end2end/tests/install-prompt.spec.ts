import type { Page } from "@playwright/test";
import { ready } from "../support/pages";
import { painted } from "../support/painting";
import { expect, test } from "../support/test";

/** Waits until the page has counted its visit, then sends the browser's install event. */
async function offerInstall(page: Page, visit: number): Promise<void> {
  await expect.poll(() => page.evaluate(() => localStorage.getItem("duet:visits"))).toMatch(new RegExp(`^${visit}\\.`));
  await page.evaluate(() => {
    const prompt = async () => {
      document.documentElement.dataset.prompted = "true";
    };
    dispatchEvent(Object.assign(new Event("beforeinstallprompt", { cancelable: true }), { prompt }));
  });
  await painted(page);
}

test("the install prompt appears once, at the third visit of a user with conversations", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "One", "Two", "Three");
  const visit = async (count: number) => {
    const { page } = await alice.home(await alice.tab());
    await offerInstall(page, count);
    return [page, page.getByRole("status").filter({ hasText: "Install Duet as an app?" })] as const;
  };
  for (const count of [1, 2]) {
    const [page, bar] = await visit(count);
    await expect(bar).toBeHidden();
    // A reload does not count as a visit.
    await page.reload();
    await ready(page);
    await offerInstall(page, count);
    await expect(bar).toBeHidden();
  }
  const [page, bar] = await visit(3);
  await bar.getByRole("button", { name: "Install" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-prompted", "true");
  await expect(bar).toBeHidden();
  await expect(page.getByRole("combobox")).toBeVisible();
  const [, again] = await visit(4);
  await expect(again).toBeHidden();
});

test("on an iPhone the install instructions appear on the second day", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "One", "Two", "Three");
  await alice.context.addInitScript(() => {
    Object.defineProperty(navigator, "standalone", { value: false });
    if (location.protocol !== "about:" && !localStorage.getItem("duet:visits")) localStorage.setItem("duet:visits", "1.19000");
  });
  const { page } = await alice.home();
  const bar = page.getByRole("status").filter({ hasText: "Add to Home Screen" });
  await bar.getByRole("button", { name: "Got it" }).click();
  await expect(bar).toBeHidden();
  expect(await page.evaluate(() => localStorage.getItem("duet:install"))).toBe("off");
});
