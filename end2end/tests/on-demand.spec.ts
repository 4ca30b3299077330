import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

// What a conversation does not carry is fetched when it is wanted. Here it does not come, as without network or when
// the server has another build by now.

test("a page whose code does not come is asked of the server", async ({ alice, watch }) => {
  watch.allow(OUTAGE);
  const home = await alice.home();
  await home.page.route(/split_settings_view/, (route) => route.abort(), { times: 1 });
  await home.page.evaluate(() => Object.assign(window, { before: true }));
  await home.page.getByRole("link", { name: "Settings" }).click();
  await expect(home.page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await home.page.waitForURL(/\/settings$/);
  await expect(home.page.locator("html")).toHaveAttribute("data-hydrated", "true");
  expect(await home.page.evaluate(() => "before" in window), "the page was loaded anew").toBe(false);
});

test("a page whose words do not come stays as the server wrote it", async ({ someone, bob, watch }) => {
  watch.allow(OUTAGE);
  const greta = await someone("Greta Gold", { locale: "de-DE" });
  const conversation = await greta.apiConversation(bob);
  await bob.apiSend(conversation, "Guten Morgen");
  await greta.page.route(/split_german_texts/, (route) => route.abort());
  await greta.page.goto(`/c/${conversation}`);
  const said = greta.page.getByRole("article");
  await expect(said.filter({ hasText: "Guten Morgen" })).toBeVisible();
  await greta.page.getByRole("textbox", { name: "Nachricht" }).fill("Moin");
  await greta.page.getByRole("button", { name: "Senden" }).click();
  await expect(said.filter({ hasText: "Moin" })).toBeVisible();
});

test("a menu whose code did not come opens at the next press", async ({ alice, bob, conversation, watch }) => {
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
