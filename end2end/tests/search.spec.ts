import type { Locator, Page } from "@playwright/test";
import { ApiUser } from "../support/api-user";
import { expectFrameInEverySize } from "../support/frame";
import { hold } from "../support/hold";
import { ConversationPage, expectNoLayer, HomePage } from "../support/pages";
import { painted } from "../support/painting";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

test("the search finds people by any word of a name, lists conversations first, and marks the user's own account", async ({ alice, conversation, createUser, server }) => {
  await alice.apiSend(conversation, "Hello");
  await createUser("Emil Sand");
  await ApiUser.create(server, "jogar", "José García");
  await ApiUser.create(server, "nour", "نور حداد");
  await ApiUser.create(server, "alina", "Alina Byrne");
  const home = await alice.home();
  const results = alice.page.getByRole("listbox", { name: "People" });
  for (const [typed, found] of [
    ["sand", "Emil Sand"],
    ["SAND emil", "Emil Sand"],
    ["@emil.s", "Emil Sand"],
    ["garcia jose", "José García"],
    ["حداد", "نور حداد"],
  ] as const) {
    await home.search.fill(typed);
    await expect(results.getByRole("option")).toHaveText([new RegExp(found)]);
    await expect(status(alice.page)).toHaveText("1 person found");
  }
  await home.search.fill("byrne");
  await expect(status(alice.page)).toHaveText("2 people found");
  await expect(results.getByRole("group", { name: "In your conversations" }).getByRole("option")).toHaveText([/Bob Byrne/]);
  await expect(results.getByRole("group", { name: "People" }).getByRole("option")).toHaveText([/Alina Byrne/]);
  await home.search.fill("alice");
  await expect(results.getByRole("option")).toHaveText([/Alice Arden.*You/]);
  await expect(alice.page.getByText(/nobody found/i)).toBeHidden();
  await home.search.fill("nobody at all");
  await expect(status(alice.page)).toHaveText("Nobody found for “nobody at all”.");
  await expect(results).toBeHidden();
});

test("the results cover the list, and keys lead through the results and back to the conversation", async ({ alice, bob, conversation, createUser }) => {
  await alice.apiSend(conversation, "Hello");
  const berta = await createUser("Berta Brook");
  const here = await alice.open(conversation, bob);
  const home = new HomePage(alice.page);
  const entry = home.entry(bob.name);
  const position = await entry.boundingBox();
  const keys = alice.page.keyboard;
  await expect(here.box).toBeFocused();
  await keys.press("ControlOrMeta+k");
  await expect(home.search).toBeFocused();
  await expect(home.search).toHaveAttribute("aria-expanded", "false");
  await expect(results(alice.page)).toBeHidden();

  await keys.type("b");
  await expect(home.search).toHaveAttribute("aria-expanded", "true");
  await expect(home.result(berta.name)).toBeVisible();
  expect(await entry.boundingBox(), "the list does not move").toEqual(position);
  const active = alice.page.getByRole("option", { selected: true });
  await keys.press("ArrowDown");
  await expect(active).toHaveText(/Bob Byrne/);
  await keys.press("ArrowDown");
  await expect(active).toHaveText(/Berta Brook/);
  await expect(home.search).toHaveAttribute("aria-activedescendant", (await home.result(berta.name).getAttribute("id")) ?? "");
  await keys.press("ArrowDown");
  await expect(active).toHaveText(/Bob Byrne/);
  await expect(home.search).toBeFocused();

  await keys.press("Escape");
  await expect(home.search).toHaveValue("");
  await expect(results(alice.page)).toBeHidden();
  await expect(here.box).toBeFocused();

  // A click elsewhere closes the results as well; the typed text stays.
  await home.search.fill("brook");
  await expect(home.result(berta.name)).toBeVisible();
  await here.log.click();
  await expect(results(alice.page)).toBeHidden();
  await expect(home.search).toHaveValue("brook");

  // Enter opens the first result, even if it is pressed before the results arrive.
  await home.search.fill("nobody");
  await expect(status(alice.page)).toHaveText(/Nobody/);
  const release = await hold(alice.page, "**/api/search");
  await home.search.fill("berta");
  await home.search.press("Enter");
  release();
  await alice.page.waitForURL((url) => !url.pathname.includes(conversation));
  const there = new ConversationPage(alice.page, berta.name);
  await expect(there.box).toBeFocused();
  await expect(home.search).toHaveValue("");
  await expect(results(alice.page)).toBeHidden();
});

test("with many results the count is correct, and scrolling loads further results", async ({ alice, conversation, server }) => {
  test.slow();
  await alice.apiSend(conversation, "Hello");
  for (let number = 0; number < 43; number += 1) await ApiUser.create(server, `lee${number}`, `Rare Lee ${String(number).padStart(2, "0")}`);
  await alice.page.setViewportSize({ width: 320, height: 640 });
  const home = await alice.home();
  await home.search.fill("lee");
  await expect(status(alice.page)).toHaveText("43 people found");
  const options = results(alice.page).getByRole("option");
  await expect(options).toHaveCount(20);
  await options.last().scrollIntoViewIfNeeded();
  await expect(options).toHaveCount(43);
  await expectFrameInEverySize(alice.page, "results of a search");
  for (const size of [{ width: 320, height: 640 }, { width: 844, height: 390 }]) {
    await alice.page.setViewportSize(size);
    await painted(alice.page);
    const [pane, found] = await Promise.all([box(alice.page, ".pane-foot"), box(alice.page, ".people")]);
    expect(found.y + found.height, "the results reach the bottom of the pane").toBeCloseTo(pane.y, 0);
    await options.last().scrollIntoViewIfNeeded();
    await expect(options.last()).toBeInViewport({ ratio: 1 });
  }
});

test("results that arrive late never replace newer results, and a failed search recovers", async ({ alice, bob, conversation, createUser, watch }) => {
  watch.allow(OUTAGE);
  await alice.apiSend(conversation, "Hello");
  const emil = await createUser("Emil Sand");
  const home = await alice.home();
  const release = await hold(alice.page, "**/api/search");
  const requested = alice.page.waitForRequest("**/api/search");
  await home.search.fill("em");
  await requested;
  await expect(alice.page.getByText(/nobody found/i)).toBeHidden();
  await home.search.fill("bob");
  await expect(home.result(bob.name), "cached results appear at once").toBeVisible();
  release();
  await expect(status(alice.page)).toHaveText("1 person found");
  await expect(home.result(emil.name)).toBeHidden();

  await alice.page.route("**/api/search", (route) => route.abort());
  await home.search.fill("emil");
  const again = alice.page.getByRole("button", { name: "Try again" });
  await expect(again).toBeVisible();
  await expect(alice.page.getByText(/nobody found/i)).toBeHidden();
  await alice.page.unroute("**/api/search");
  await again.click();
  await expect(home.result(emil.name)).toBeVisible();
  await expect(again).toBeHidden();

  await alice.context.setOffline(true);
  await home.search.fill("sand");
  await expect(again).toBeVisible();
  await alice.context.setOffline(false);
  await expect(home.result(emil.name)).toBeVisible();
  await expect(again).toBeHidden();
});

test("a user without conversations sees the other users, and every control is reachable in every size", async ({ alice, server }) => {
  for (let number = 0; number < 12; number += 1) await ApiUser.create(server, `lee${number}`, `Lee ${number}`);
  for (const size of [{ width: 320, height: 640 }, { width: 844, height: 390 }, { width: 1280, height: 800 }]) {
    await alice.page.setViewportSize(size);
    const home = await alice.home();
    await expect(alice.page.getByText("People you can message")).toBeVisible();
    await home.result("Lee 9").scrollIntoViewIfNeeded();
    await expect(home.result("Lee 9")).toBeInViewport({ ratio: 1 });
    await expect(alice.page.getByRole("link", { name: /Settings/ })).toBeInViewport({ ratio: 1 });
    await expect(home.search).toHaveAttribute("aria-expanded", "true");
    await home.search.fill("nobody");
    await expect(status(alice.page)).toHaveText("Nobody found for “nobody”.");
    await home.search.press("Escape");
    await expectNoLayer(alice.page);
    await expect(home.result("Lee 1").first()).toBeVisible();
  }
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("the page contains the results, with the list below them", async ({ alice, bob, conversation, server }) => {
    await bob.apiSend(conversation, "Hello");
    for (let number = 0; number < 25; number += 1) await ApiUser.create(server, `bob${number}`, `Bob ${number}`);
    await alice.page.setViewportSize({ width: 320, height: 640 });
    await alice.page.goto("/?find=bob");
    const home = new HomePage(alice.page);
    await expect(status(alice.page)).toHaveText("26 people found");
    await expect(results(alice.page).getByRole("option")).toHaveCount(26);
    const last = home.result("Bob 24");
    await last.scrollIntoViewIfNeeded();
    await expect(last).toBeInViewport({ ratio: 1 });
    await alice.page.locator(".list-entry").scrollIntoViewIfNeeded();
    await expect(alice.page.locator(".list-entry")).toBeInViewport({ ratio: 1 });
    await last.click();
    await alice.page.waitForURL(/\/c\//);
  });
});

function status(page: Page): Locator {
  return page.locator(".people").getByRole("status");
}

function results(page: Page): Locator {
  return page.getByRole("listbox", { name: "People" });
}

async function box(page: Page, selector: string) {
  return page.locator(selector).evaluate((element) => {
    const { y, height } = element.getBoundingClientRect();
    return { y, height };
  });
}
