import type { Page } from "@playwright/test";
import { ready, signOutOf } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

/** Fills this browser's storage completely. */
async function fillStorage(page: Page): Promise<void> {
  await page.evaluate(() => {
    let [text, room] = ["", 8 * 1024 * 1024];
    while (room >= 1) {
      try {
        localStorage.setItem("filler", text + "x".repeat(room));
        text += "x".repeat(room);
      } catch {
        room = Math.floor(room / 2);
      }
    }
  });
}

async function emptyStorage(page: Page): Promise<void> {
  await page.evaluate(() => localStorage.removeItem("filler"));
}

/** Whether the browser would ask for confirmation before it unloads this page. */
async function asksBeforeUnload(page: Page): Promise<boolean> {
  return page.evaluate(() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
}

function warning(page: Page) {
  return page.getByText("This browser can’t save data for Duet");
}

test("a full storage shows a warning while text would be lost, and leaving the page asks for confirmation", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  // If calls succeeded, the page would report that only sockets are refused.
  await alice.context.route("**/api/**", (route) => route.abort());
  await here.write("Kept before it was full");
  await here.expectState("Kept before it was full", "sending");
  await fillStorage(here.page);
  await here.write("Not kept anywhere");
  await here.expectState("Not kept anywhere", "sending");
  await expect(warning(here.page)).toBeVisible();
  await expect(here.message("Not kept anywhere")).toContainText("couldn’t save this message");
  await expect(here.message("Kept before it was full")).not.toContainText("couldn’t save");
  expect(await asksBeforeUnload(here.page)).toBe(true);

  // Other data is written and removed, which the storage accepts.
  await here.box.fill("x");
  await here.box.fill("");
  await here.box.blur();
  await expect(here.message("Not kept anywhere")).toContainText("couldn’t save this message");
  await expect(warning(here.page)).toBeVisible();
  const offline = here.page.getByText("You’re offline");
  await expect(offline).toBeVisible();
  await expect(offline).toContainText("can’t save");
  await expect(here.page.getByText("Your messages will be sent")).toHaveCount(0);

  // With free space the text is stored, and a reload loses nothing.
  await emptyStorage(here.page);
  await expect(here.message("Not kept anywhere")).not.toContainText("couldn’t save");
  await expect(warning(here.page)).toBeHidden();
  expect(await asksBeforeUnload(here.page)).toBe(false);
  await here.page.reload();
  await ready(here.page);
  await here.expectState("Not kept anywhere", "sending");
  await alice.context.unroute("**/api/**");
  network.restore();
  await here.expectStored("Not kept anywhere", 40_000);
});

test("with a full storage, signing out with deletion asks for no second confirmation", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await fillStorage(here.page);
  await here.box.fill("A draft that is kept nowhere");
  await here.box.blur();
  await expect(warning(here.page)).toBeVisible();
  await signOutOf(here.page).click();
  // Playwright would answer the browser's confirmation with "stay".
  await here.page.getByRole("button", { name: "Delete and sign out" }).click();
  await here.page.waitForURL(/\/sign-in/);
});

test("with a full storage messages are sent, and a sent message causes no warning", async ({ alice, bob, conversation }) => {
  const bobHere = await bob.open(conversation, alice);
  const here = await alice.open(conversation, bob);
  await fillStorage(here.page);
  await here.write("From a full browser");
  await here.expectState("From a full browser", "read");
  await expect(bobHere.message("From a full browser")).toBeVisible();
  await expect(here.message("From a full browser")).not.toContainText("couldn’t save");
  expect(await asksBeforeUnload(here.page)).toBe(false);
});

test("an unsaved draft stays in its box after a visit to another conversation", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  await carol.apiSend(await carol.apiConversation(alice), "Hello");
  const here = await alice.open(conversation, bob);
  const list = here.page.getByRole("navigation", { name: "Conversations" });
  await fillStorage(here.page);
  await here.box.fill("A thought that has no other place");
  await expect(warning(here.page)).toBeVisible();
  expect(await asksBeforeUnload(here.page)).toBe(true);
  await list.getByRole("link", { name: carol.name }).click();
  await expect(here.box).toHaveValue("");
  await list.getByRole("link", { name: bob.name }).click();
  await expect(here.box).toHaveValue("A thought that has no other place");
  await emptyStorage(here.page);
  await expect(warning(here.page)).toBeHidden();
  await here.expectDraftStored("A thought that has no other place");
});

test("a storage that refuses all writes shows a warning, and sending works", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  await alice.context.addInitScript(() => {
    const refuse = () => {
      throw new DOMException("refused", "SecurityError");
    };
    Object.defineProperty(window, "localStorage", { get: refuse });
  });
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await here.write("Sent without storage");
  await here.expectStored("Sent without storage");
  await network.cut();
  await here.write("Waits without storage");
  await here.expectState("Waits without storage", "sending");
  await expect(warning(here.page)).toBeVisible();
  await expect(here.message("Waits without storage")).toContainText("couldn’t save this message");
  expect(await asksBeforeUnload(here.page)).toBe(true);
  network.restore();
  await here.expectStored("Waits without storage", 40_000);
  await expect(here.message("Waits without storage")).not.toContainText("couldn’t save");
  expect(await asksBeforeUnload(here.page)).toBe(false);
});
