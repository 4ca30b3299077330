import { holdWasm } from "../support/hold";
import { ConversationPage, HomePage, ready, SignUpPage } from "../support/pages";
import { painted } from "../support/painting";
import { expect, test } from "../support/test";

test("a conversation can be read before the page is live, and text typed meanwhile is kept", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Read me early");
  const release = await holdWasm(alice.context);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const here = new ConversationPage(alice.page, bob.name);
  await expect(here.message("Read me early")).toBeInViewport();
  await here.box.pressSequentially("Typed on a slow line");
  await expect(alice.page.locator("html")).not.toHaveAttribute("data-hydrated", "true");

  release();
  await ready(alice.page);
  await expect(here.box).toHaveValue("Typed on a slow line");
  await expect(here.box).toBeFocused();
  await here.box.press("Enter");
  await here.expectStored("Typed on a slow line");
  await here.expectBodies("Read me early", "Typed on a slow line");
});

test("the search keeps its focus while the page becomes live", async ({ alice, bob, conversation }) => {
  const release = await holdWasm(alice.context);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const home = new HomePage(alice.page);
  await home.search.pressSequentially("Bo");
  release();
  await ready(alice.page);
  // An unwanted focus on the message box would happen in the next frame.
  await painted(alice.page);
  await alice.page.keyboard.type("b");
  await expect(home.search).toHaveValue("Bob");
  await expect(new ConversationPage(alice.page, bob.name).box).toHaveValue("");
});

test("a switch that is turned before the page is live takes effect, and the other switches show the settings", async ({ alice }) => {
  const settings = await alice.tab();
  await settings.goto("/settings");
  await ready(settings);
  const receipts = settings.getByRole("switch", { name: "Read receipts" });
  const sound = settings.getByRole("switch", { name: "Play a sound" });
  await expect(receipts).toBeChecked();
  await expect(sound).toBeChecked();
  const release = await holdWasm(alice.context);
  await settings.goto("/settings", { waitUntil: "commit" });
  await receipts.uncheck();
  const stored = settings.waitForResponse((response) => response.url().includes("set_privacy"));
  release();
  await stored;
  await expect(receipts).not.toBeChecked();
  await expect(sound).toBeChecked();
  await settings.reload();
  await ready(settings);
  await expect(receipts).not.toBeChecked();
});

test("a message can be sent before the page is live", async ({ alice, bob, conversation }) => {
  const release = await holdWasm(alice.context);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const here = new ConversationPage(alice.page, bob.name);
  await here.box.fill("By the plain form");
  await here.send.click();
  await expect(here.message("By the plain form")).toBeVisible();
  release();
  await ready(alice.page);
  await here.expectBodies("By the plain form");
  await here.write("By the live page");
  await here.expectStored("By the live page");
  await here.expectBodies("By the plain form", "By the live page");
});

test("Enter sends once before the page is live, and text typed meanwhile is kept", async ({ alice, bob, conversation }) => {
  const release = await holdWasm(alice.context);
  const { page } = alice;
  // The script that handles Enter is at the end of the document.
  await page.goto(`/c/${conversation}`, { waitUntil: "domcontentloaded" });
  const here = new ConversationPage(page, bob.name);
  await expect(here.box).toHaveAttribute("enterkeyhint", "enter");
  await here.box.fill("First line");
  await here.box.press("Shift+Enter");
  await here.box.pressSequentially("second line");
  const loaded = page.waitForEvent("domcontentloaded");
  await here.box.press("Enter");
  await loaded;
  await expect(here.message("second line")).toBeVisible();
  await expect(here.box).toHaveValue("");
  const posts: string[] = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.postData() ?? ""));
  // The next message waits while a message is being sent.
  await here.box.evaluate((box: HTMLTextAreaElement) => {
    const enter = () => box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    box.value = "Third line";
    enter();
    box.value += " and more";
    enter();
  });
  await expect(here.message("Third line")).toBeVisible();
  await expect(here.box).toHaveValue("and more");
  expect(posts).toHaveLength(1);
  release();
  await ready(page);
  await expect(here.box).toHaveValue("and more");
  await expect(here.box).toHaveAttribute("enterkeyhint", "send");
  await here.box.press("Enter");
  await here.expectStored("and more");
  const there = await bob.open(conversation, alice);
  for (const shown of [here, there]) await shown.expectBodies("second line", "Third line", "and more");
});

test("text filled into a form before the page is live is kept", async ({ page, context }) => {
  const release = await holdWasm(context);
  const form = new SignUpPage(page);
  await page.goto("/sign-up", { waitUntil: "commit" });
  await form.displayName.fill("Early Bird");
  await form.username.fill("early.bird");
  await form.password.fill("a walk in the rain");
  release();
  await ready(page);
  await expect(form.username).toHaveValue("early.bird");
  await form.create.click();
  await page.waitForURL(/\/$/);
});
