import { hold } from "../support/hold";
import { ready } from "../support/pages";
import { steadyTop } from "../support/painting";
import { expect, test } from "../support/test";

const bodies = Array.from({ length: 130 }, (_, index) => `Page ${String(index + 1).padStart(3, "0")} of the diary`);
const body = (number: number) => bodies[number - 1] ?? "";

test.beforeEach(async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...bodies);
  await bob.apiRead(conversation, 130);
});

test("with many unread messages a conversation opens at the first unread message", async ({ alice, bob }) => {
  const conversation = await alice.apiConversation(bob);
  await bob.apiSend(conversation, ...bodies);
  const home = await alice.home();
  await home.expectUnread(bob.name, 130);
  const here = await alice.open(conversation, bob);
  await expect(here.divider(130)).toBeInViewport();
  await expect(here.message(body(1)).last()).toBeInViewport();
  await expect(here.message(body(130)).last()).not.toBeInViewport();
});

test("a conversation opens at its end", async ({ bob, alice, conversation }) => {
  const here = await bob.open(conversation, alice);
  await expect(here.message(body(130))).toBeInViewport();
  await expect(here.message(body(1))).toHaveCount(0);
});

test("scrolling up loads older pages, and the view does not jump", async ({ bob, alice, conversation }) => {
  const here = await bob.open(conversation, alice);
  const top = () => here.messages.first();
  const scrollUp = async () => {
    await here.log.hover();
    await here.page.mouse.wheel(0, -100_000);
  };

  // Delays the older page, so that the position of a message can be measured before and after.
  const release = await hold(here.page, "**/api/load_history");
  let requested = false;
  here.page.on("request", (request) => (requested ||= request.url().includes("/api/load_history")));
  // Repeated, because a layout during the scroll may stop the scroll.
  await expect(async () => {
    await scrollUp();
    expect(requested).toBe(true);
  }).toPass();
  const anchor = here.message((await top().innerText()).match(/Page \d+ of the diary/)?.[0] ?? "");
  await expect(anchor).toBeInViewport();
  const before = await steadyTop(anchor);
  release();
  await expect(here.message(body(40))).toHaveCount(1);
  const after = await steadyTop(anchor);
  expect(Math.abs(after - before)).toBeLessThanOrEqual(2);

  await expect(async () => {
    await scrollUp();
    await expect(here.message(body(1))).toBeInViewport({ timeout: 500 });
  }).toPass();
  expect(await here.order(...bodies)).toEqual(bodies);
});

test("a link to a message opens the conversation around that message, and the rest is reachable", async ({ bob, alice, conversation }) => {
  const here = await bob.open(`${conversation}?m=30`, alice);
  await expect(here.message(body(30))).toBeInViewport();
  await expect(here.message(body(130))).toHaveCount(0);
  await here.log.hover();
  await expect(async () => {
    await here.page.mouse.wheel(0, 100_000);
    await expect(here.message(body(130))).toBeInViewport({ timeout: 500 });
  }).toPass();
  const shown = await here.order(...bodies);
  expect(shown).toEqual(bodies.slice(bodies.length - shown.length));
});

test("messages that arrive while the user reads older pages do not move the view, and stay reachable", async ({ bob, alice, conversation }) => {
  const here = await bob.open(conversation, alice);
  await here.log.hover();
  await here.page.mouse.wheel(0, -2_000);
  await expect(here.message(body(130))).not.toBeInViewport();
  const anchor = here.message(body(105));
  const before = await steadyTop(anchor);
  await alice.apiSend(conversation, "News from today");
  const jump = here.page.getByRole("button", { name: /latest|newest|new message/i });
  await expect(jump).toBeVisible();
  expect(Math.abs((await steadyTop(anchor)) - before)).toBeLessThanOrEqual(2);
  await jump.click();
  await expect(here.message("News from today")).toBeInViewport();
});

test("a link to a missing message opens the conversation", async ({ bob, alice, conversation }) => {
  for (const nowhere of ["m=131", "m=-1", "m=x", "m=99999999999999999999"]) {
    await bob.page.goto(`/c/${conversation}?${nowhere}`);
    await ready(bob.page);
    await expect(bob.page.getByRole("heading", { name: alice.name })).toBeVisible();
  }
});
