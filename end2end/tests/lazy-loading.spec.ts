import { ready } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

// Code that a conversation page does not contain is loaded lazily. In these tests the load fails, as without a network or when
// the server has another build.

test("a page whose lazily loaded code fails to load is loaded from the server", async ({ alice, watch }) => {
  watch.allow(OUTAGE);
  const home = await alice.home();
  await home.page.route(/split_settings_view/, (route) => route.abort(), { times: 1 });
  await home.page.evaluate(() => Object.assign(window, { before: true }));
  await home.page.getByRole("link", { name: "Settings" }).click();
  await expect(home.page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await home.page.waitForURL(/\/settings$/);
  await ready(home.page);
  expect(await home.page.evaluate(() => "before" in window), "the page was reloaded").toBe(false);
});

test("a page whose language table fails to load stays as the server rendered it", async ({ createUser, bob, watch }) => {
  watch.allow(OUTAGE);
  const greta = await createUser("Greta Gold", { locale: "de-DE" });
  const conversation = await greta.apiConversation(bob);
  await bob.apiSend(conversation, "Guten Morgen");
  await greta.page.route(/split_german_texts/, (route) => route.abort());
  await greta.page.goto(`/c/${conversation}`);
  const messages = greta.page.getByRole("article");
  await expect(messages.filter({ hasText: "Guten Morgen" })).toBeVisible();
  await greta.page.getByRole("textbox", { name: "Nachricht" }).fill("Moin");
  await greta.page.getByRole("button", { name: "Senden" }).click();
  await expect(messages.filter({ hasText: "Moin" })).toBeVisible();
});

test("a menu whose code failed to load opens at a later press", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  await bob.apiSend(conversation, "Press me");
  let refused = 0;
  await alice.page.route(/split_load_overlays/, (route) => (refused++ < 2 ? route.abort() : route.continue()));
  const here = await alice.open(conversation, bob);
  const button = here.page.getByRole("button", { name: "Message menu" });
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  await here.message("Press me").hover();
  await button.click();
  await expect.poll(() => refused).toBeGreaterThan(0);
  await expect(menu).toBeHidden();
  await expect(async () => {
    await button.click();
    await expect(menu.getByRole("menuitem", { name: "Copy text" })).toBeFocused({ timeout: 1_000 });
  }).toPass();
});
