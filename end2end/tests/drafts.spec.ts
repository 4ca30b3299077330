import type { Page } from "@playwright/test";
import { ready } from "../support/pages";
import { expect, test } from "../support/test";

/** The stored drafts of all conversations. */
async function storedDrafts(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    Object.entries({ ...localStorage })
      .filter(([key]) => key.includes(":draft:"))
      .map(([, draft]) => draft as string),
  );
}

/** Closes a tab as a user does: the page gets its unload events. */
async function closeTab(page: Page): Promise<void> {
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => page.isClosed()).toBe(true);
}

/** Makes a tab miss the next change of a draft in another tab, as if both tabs changed their drafts at once. */
async function missNextDraft(page: Page): Promise<void> {
  await page.evaluate(() => {
    const miss = (event: StorageEvent) => {
      if (!event.key?.includes(":draft:")) return;
      event.stopImmediatePropagation();
      removeEventListener("storage", miss, { capture: true });
    };
    addEventListener("storage", miss, { capture: true });
  });
}

test("a tab without changes does not overwrite a draft when it closes", async ({ alice, bob, conversation }) => {
  const idle = await alice.open(conversation, bob);
  const here = await alice.open(conversation, bob, await alice.tab());
  await here.box.fill("Written in the other tab");
  await here.expectDraftStored("Written in the other tab");
  await closeTab(here.page);
  await expect(idle.box).toHaveValue("Written in the other tab");
  await idle.page.goto("/");
  const back = await alice.open(conversation, bob, idle.page);
  await expect(back.box).toHaveValue("Written in the other tab");
});

test("a text that was sent in a tab is not a draft in any other tab, whether that tab is reloaded or closed", async ({ alice, bob, conversation }) => {
  const first = await alice.open(conversation, bob);
  await first.box.fill("Say this once");
  await first.expectDraftStored("Say this once");
  const second = await alice.open(conversation, bob, await alice.tab());
  await expect(second.box).toHaveValue("Say this once");
  const third = await alice.open(conversation, bob, await alice.tab());
  await second.box.press("Enter");
  await second.expectStored("Say this once");
  // Also in the tab where it was typed.
  for (const here of [first, third]) {
    await expect(here.box).toHaveValue("");
    await expect(here.send).toHaveClass(/is-idle/);
  }
  await first.page.reload();
  await ready(first.page);
  await closeTab(third.page);
  await closeTab(second.page);
  const back = await alice.open(conversation, bob, first.page);
  await expect(back.box).toHaveValue("");
  expect(await storedDrafts(back.page)).toEqual([]);
});

test("a draft that is continued in another tab remains a single draft", async ({ alice, bob, conversation }) => {
  const first = await alice.open(conversation, bob);
  await first.box.fill("Shall we meet");
  await first.expectDraftStored("Shall we meet");
  const second = await alice.open(conversation, bob, await alice.tab());
  await second.box.press("End");
  await second.box.pressSequentially(" at ten?");
  await expect(first.box).toHaveValue("Shall we meet at ten?");
  await second.box.press("Enter");
  await second.expectStored("Shall we meet at ten?");
  await expect(first.box).toHaveValue("");
});

test("texts typed in two tabs at once are both kept", async ({ alice, bob, conversation }) => {
  const first = await alice.open(conversation, bob);
  const second = await alice.open(conversation, bob, await alice.tab());
  for (const here of [first, second]) await missNextDraft(here.page);
  await first.box.fill("One thing");
  await first.expectDraftStored("One thing");
  await second.box.fill("And another");
  await expect.poll(async () => (await storedDrafts(first.page)).join()).toContain("And another");
  await expect(first.box).toHaveValue("One thing");
  await expect(second.box).toHaveValue("And another");
  await closeTab(first.page);
  await closeTab(second.page);
  const back = await alice.open(conversation, bob, await alice.tab());
  await expect(back.box).toHaveValue(/One thing/);
  await expect(back.box).toHaveValue(/And another/);
  await back.box.press("Enter");
  await expect(back.messages).toHaveCount(1);
  expect(await storedDrafts(back.page)).toEqual([]);
});

test("a page that the browser restores from its cache shows the drafts of other tabs", async ({ alice, bob, conversation }) => {
  // A page in the back/forward cache gets no storage events. This listener must be the first.
  await alice.page.addInitScript(() => {
    window.addEventListener("storage", (event) => document.documentElement.dataset.frozen && event.stopImmediatePropagation(), { capture: true });
  });
  const here = await alice.open(conversation, bob);
  await here.box.fill("Sent meanwhile");
  await here.expectDraftStored("Sent meanwhile");
  await here.page.evaluate(() => (document.documentElement.dataset.frozen = "true"));
  const other = await alice.open(conversation, bob, await alice.tab());
  await other.box.press("Enter");
  await other.expectStored("Sent meanwhile");
  await expect(here.box).toHaveValue("Sent meanwhile");
  await here.page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await expect(here.box).toHaveValue("");
});

test("a draft is stored at once when the page is hidden or the box loses the focus", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const now = (leave: string) =>
    here.page.evaluate((leave) => {
      const box = document.querySelector<HTMLTextAreaElement>("textarea[name=body]");
      if (!box) return [];
      box.focus();
      box.value = `Typed before ${leave}`;
      box.dispatchEvent(new InputEvent("input", { bubbles: true }));
      if (leave === "blur") box.blur();
      else document.dispatchEvent(new Event("visibilitychange"));
      return Object.values({ ...localStorage });
    }, leave);
  expect(await now("blur")).toContain("Typed before blur");
  expect(await now("visibilitychange")).toContain("Typed before visibilitychange");
});
