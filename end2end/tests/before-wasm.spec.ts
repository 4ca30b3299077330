import type { BrowserContext } from "@playwright/test";
import { ConversationPage, ready, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";

test("a conversation can be read before the page is live, and what is typed meanwhile is kept", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Read me early");
  const arrive = await holdWasm(alice.context);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const here = new ConversationPage(alice.page, bob.name);
  await expect(here.message("Read me early")).toBeInViewport();
  await here.box.pressSequentially("Typed on a slow line");
  await expect(alice.page.locator("html")).not.toHaveAttribute("data-hydrated", "true");

  arrive();
  await ready(alice.page);
  await expect(here.box).toHaveValue("Typed on a slow line");
  await expect(here.box).toBeFocused();
  await here.box.press("Enter");
  await here.expectStored("Typed on a slow line");
  await here.expectBodies("Read me early", "Typed on a slow line");
});

test("a message can be sent before the page is live", async ({ alice, bob, conversation }) => {
  const arrive = await holdWasm(alice.context);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const here = new ConversationPage(alice.page, bob.name);
  await here.box.fill("By the plain form");
  await here.send.click();
  await expect(here.message("By the plain form")).toBeVisible();
  arrive();
  await ready(alice.page);
  await here.expectBodies("By the plain form");
  await here.write("By the live page");
  await here.expectStored("By the live page");
  await here.expectBodies("By the plain form", "By the live page");
});

test("a form that is filled before the page is live is kept", async ({ page, context }) => {
  const arrive = await holdWasm(context);
  const form = new SignUpPage(page);
  await page.goto("/sign-up", { waitUntil: "commit" });
  await form.username.fill("early.bird");
  await form.password.fill("a walk in the rain");
  arrive();
  await ready(page);
  await expect(form.username).toHaveValue("early.bird");
  await form.create.click();
  await page.waitForURL(/\/$/);
});

/** Holds the page's program back until the returned function is called. */
async function holdWasm(context: BrowserContext): Promise<() => void> {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  await context.route(/\.wasm(\?|$)/, async (route) => {
    await arrived;
    await route.continue();
  });
  return () => arrive();
}
