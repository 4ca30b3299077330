// The history on a phone, where a page covers the list: the system's Back does not return to pages that the user has left.
import type { Page } from "@playwright/test";
import { ConversationPage, expectLayer, ready } from "../support/pages";
import { expect, test } from "../support/test";

test.use({ viewport: { width: 390, height: 844 } });

function arrow(page: Page) {
  return page.getByRole("link", { name: "Back to conversations" });
}

/** Asserts that the page is the list, and that Back leaves Duet from there. */
async function expectBackLeaves(page: Page): Promise<void> {
  await expect.poll(() => new URL(page.url()).pathname).toBe("/");
  await expect(page.getByRole("navigation", { name: "Conversations" })).toBeVisible();
  await page.goBack();
  expect(page.url()).toBe("about:blank");
}

test("the back arrow of a conversation goes back in the history, and Back then leaves the page", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Good morning");
  const home = await alice.home();
  const { page } = home;
  for (let turn = 0; turn < 2; turn += 1) {
    await home.entry(bob.name).click();
    await expect(new ConversationPage(page, bob.name).heading).toBeVisible();
    await expect.poll(() => new URL(page.url()).pathname).toBe(`/c/${conversation}`);
    await arrow(page).click();
    await expect(home.entry(bob.name)).toBeFocused();
  }
  await expectBackLeaves(page);
});

test("in a conversation opened by a link, the back arrow replaces the page with the list", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await arrow(here.page).click();
  await expectBackLeaves(here.page);
});

test("opening another conversation replaces the history entry of the first", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  await bob.apiSend(conversation, "From Bob");
  await carol.apiSend(await carol.apiConversation(alice), "From Carol");
  const home = await alice.home();
  const { page } = home;
  await home.entry(carol.name).click();
  await expect(new ConversationPage(page, carol.name).heading).toBeVisible();
  await page.keyboard.press("Alt+ArrowDown");
  await expect(new ConversationPage(page, bob.name).heading).toBeVisible();
  await expect.poll(() => new URL(page.url()).pathname).toBe(`/c/${conversation}`);
  await arrow(page).click();
  await expectBackLeaves(page);
});

test("the back arrows of settings and of invitations go back", async ({ alice }) => {
  const home = await alice.home();
  const { page } = home;
  for (const name of [/Settings/, "Invite someone"]) {
    await page.getByRole("link", { name }).first().click();
    await expect(arrow(page)).toBeVisible();
    await arrow(page).click();
    await expect.poll(() => new URL(page.url()).pathname).toBe("/");
  }
  await expectBackLeaves(page);
  await page.goto("/settings");
  await ready(page);
  await arrow(page).click();
  await expectBackLeaves(page);
});

test("Back closes the search and stays on the list", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Good morning");
  const home = await alice.home();
  const { page } = home;
  for (let turn = 0; turn < 2; turn += 1) {
    await home.search.fill("Bo");
    await expect(home.result(bob.name)).toBeVisible();
    await expectLayer(page);
    await page.goBack();
    await expect(home.result(bob.name)).toBeHidden();
    await expect(home.search).toHaveValue("");
    await expect(home.search).not.toBeFocused();
    await expect(home.entry(bob.name)).toBeVisible();
  }
  // A conversation opened from the results replaces the history entry of the search: one step leads back to the list.
  await home.search.fill("Bo");
  await home.result(bob.name).click();
  await expect(new ConversationPage(page, bob.name).heading).toBeVisible();
  await expect.poll(() => new URL(page.url()).pathname).toBe(`/c/${conversation}`);
  await page.goBack();
  await expectBackLeaves(page);
});
