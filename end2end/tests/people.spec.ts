import type { Page } from "@playwright/test";
import { ConversationPage, HomePage, ready } from "../support/pages";
import { expect, test } from "../support/test";
import type { User } from "../support/user";
import { REFUSAL } from "../support/watch";

/** The page with the requests of a user. */
async function openRequests(user: User): Promise<HomePage> {
  const home = await user.home();
  await home.requests.click();
  await user.page.waitForURL(/\/requests$/);
  return home;
}

function request(page: Page, name: string) {
  return page.getByRole("main").getByRole("link").filter({ hasText: name });
}

test("a stranger's message waits as a request, and reveals nothing until it is accepted", async ({ alice, bob }) => {
  const conversation = await alice.apiOpen(bob);
  const here = await alice.open(conversation, bob);
  const home = await bob.home();
  await here.write("Hello, Bob");
  await here.expectState("Hello, Bob", "sent");
  await expect(home.requests, "it arrives while the page is open").toBeVisible();
  await expect(home.entry("Alice Arden")).toHaveCount(0);
  expect(await home.page.title()).not.toMatch(/^\(/);

  await home.requests.click();
  await request(bob.page, "Alice Arden").click();
  const there = new ConversationPage(bob.page, "Alice Arden");
  await there.expectBodies("Hello, Bob");
  await here.expectState("Hello, Bob", "sent");
  await expect(alice.page.getByRole("main").getByText("online")).toHaveCount(0);

  await bob.page.getByRole("button", { name: "Accept" }).click();
  await expect(bob.page.getByRole("button", { name: "Accept" })).toHaveCount(0);
  await expect(home.entry("Alice Arden")).toBeVisible();
  await expect(home.requests).toHaveCount(0);
  await here.expectState("Hello, Bob", "read");
  await expect(alice.page.getByRole("main").getByText("online").first()).toBeVisible();
});

test("a request can be deleted or blocked, and an answer accepts it", async ({ alice, bob, createUser }) => {
  const [carol, dora] = [await createUser("Carol Cole"), await createUser("Dora Dean")];
  for (const stranger of [alice, carol, dora]) await stranger.apiSend(await stranger.apiOpen(bob), `From ${stranger.name}`);
  const home = await openRequests(bob);
  await request(bob.page, "Alice Arden").click();
  await bob.page.getByRole("button", { name: "Delete" }).click();
  await bob.page.waitForURL(/\/requests$/);
  await expect(request(bob.page, "Alice Arden")).toHaveCount(0);
  await request(bob.page, "Carol Cole").click();
  await bob.page.getByRole("button", { name: "Block" }).click();
  await bob.page.waitForURL(/\/requests$/);
  await request(bob.page, "Dora Dean").click();
  const there = new ConversationPage(bob.page, "Dora Dean");
  await there.write("Hello, Dora");
  await there.expectStored("Hello, Dora");
  await expect(bob.page.getByRole("button", { name: "Accept" })).toHaveCount(0);
  await expect(home.entry("Dora Dean")).toBeVisible();
  await expect(home.entry("Carol Cole")).toHaveCount(0);

  await bob.page.goto("/settings");
  await ready(bob.page);
  await bob.page.getByRole("button", { name: "Unblock Carol Cole" }).click();
  await expect(bob.page.getByRole("button", { name: "Unblock Carol Cole" })).toHaveCount(0);
});

test("a block hides the blocker, and what was sent meanwhile stays hidden", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const there = await bob.open(conversation, alice);
  await here.write("Before");
  await there.expectBodies("Before");
  await bob.page.goto(`/c/${conversation}/about`);
  await ready(bob.page);
  await bob.page.getByRole("button", { name: "Block" }).click();
  await expect(bob.page.getByRole("button", { name: "Unblock" })).toBeVisible();
  await expect(alice.page.getByRole("main").getByText(/last seen/)).toBeVisible();
  await here.write("Meanwhile");
  await here.expectState("Meanwhile", "sent");

  await bob.open(conversation, alice);
  await there.expectBodies("Before");
  await expect(there.box).toHaveCount(0);
  await bob.page.getByRole("button", { name: "Unblock" }).click();
  await expect(there.box).toBeVisible();
  await there.expectBodies("Before", "Sent while you had blocked this person");
  await here.write("After");
  await there.expectBodies("Before", "Sent while you had blocked this person", "After");
  await expect(there.log).not.toContainText("Meanwhile");
});

test("a muted conversation counts nothing in the title, on every device", async ({ alice, bob, conversation }) => {
  const home = await bob.home();
  const other = new HomePage(await bob.tab());
  await other.page.goto("/");
  await ready(other.page);
  await alice.apiSend(conversation, "One");
  await expect(other.page).toHaveTitle(/^\(1\) /);
  await home.page.goto(`/c/${conversation}/about`);
  await ready(home.page);
  await home.page.getByRole("button", { name: "8 hours" }).click();
  await expect(home.page.getByRole("button", { name: "Unmute" })).toBeVisible();
  await expect(other.page).not.toHaveTitle(/^\(/);
  await alice.apiSend(conversation, "Two");
  await expect(other.entry("Alice Arden")).toContainText("Two");
  await expect(other.page).not.toHaveTitle(/^\(/);
  await expect(other.entry("Alice Arden"), "the list says so").toHaveAccessibleName(/, muted/);
  await home.page.getByRole("button", { name: "Unmute" }).click();
  await expect(other.entry("Alice Arden")).not.toHaveAccessibleName(/, muted/);
  await expect(other.page).toHaveTitle(/^\(2\) /);
});

test("messages are reported to the operator", async ({ alice, bob, conversation, watch }) => {
  watch.allow(REFUSAL);
  await alice.apiSend(conversation, "Nice", "Nasty");
  await bob.page.goto(`/c/${conversation}/about`);
  await ready(bob.page);
  await bob.page.getByText("Choose 1 to 20 messages").click();
  await bob.page.getByRole("button", { name: "Send report" }).click();
  await expect(bob.page.getByRole("alert").filter({ hasText: "Choose 1 to 20 messages" })).toBeVisible();
  await bob.page.getByRole("checkbox", { name: /Nasty/ }).check();
  await bob.page.getByLabel("Reason").fill("Insults");
  await bob.page.getByRole("button", { name: "Send report" }).click();
  await expect(bob.page.getByText("The report was sent")).toBeVisible();
});

test("requests are answered without scripts", async ({ alice, bob, browser, server }) => {
  const conversation = await alice.apiOpen(bob);
  await alice.apiSend(conversation, "Hello, Bob");
  const storageState = await bob.context.storageState();
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState });
  const page = await context.newPage();
  await page.goto("/");
  await page.getByRole("link", { name: "1 request" }).click();
  await request(page, "Alice Arden").click();
  await page.getByRole("button", { name: "Accept" }).click();
  await expect(page).toHaveURL(`${server.url}/c/${conversation}`);
  await expect(page.getByRole("button", { name: "Accept" })).toHaveCount(0);
  await page.goto(`/c/${conversation}/about`);
  await page.getByRole("button", { name: "1 week" }).click();
  await expect(page.getByRole("button", { name: "Unmute" })).toBeVisible();
  await page.getByRole("button", { name: "Block" }).click();
  await expect(page.getByText("You have blocked Alice Arden.")).toBeVisible();
  await context.close();
});
