import { ConversationPage, HomePage, ready, signOutOf } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { MachineSpeed } from "../support/machine-speed";

test("two tabs of a user show the same conversation", async ({ alice, bob, conversation }) => {
  const bobHere = await bob.open(conversation, alice);
  const first = await alice.open(conversation, bob);
  const second = await alice.open(conversation, bob, await alice.tab());
  await first.write("From the first tab");
  await second.expectState("From the first tab", "read");
  await second.write("From the second tab");
  await first.expectState("From the second tab", "read");
  await bobHere.write("To both");
  const bodies = ["From the first tab", "From the second tab", "To both"];
  for (const here of [first, second, bobHere]) await here.expectBodies(...bodies);
});

test("a message that is read in a tab is read in the other tab", async ({ alice, bob, conversation }) => {
  const list = await alice.home();
  await bob.apiSend(conversation, "Unread so far");
  await list.expectUnread(bob.name, 1);
  await expect(list.page).toHaveTitle(/^\(1\)/);
  const other = await alice.open(conversation, bob, await alice.tab());
  await expect(other.message("Unread so far")).toBeVisible();
  await list.expectUnread(bob.name, 0);
  await expect(list.page).toHaveTitle(/^Duet/);
});

test("a draft is not overwritten by the draft of another tab", async ({ alice, bob, conversation }) => {
  const first = await alice.open(conversation, bob);
  const second = await alice.open(conversation, bob, await alice.tab());
  await first.box.fill("Mine stays");
  await second.box.fill("Mine too");
  await expect(first.box).toHaveValue("Mine stays");
  await expect(second.box).toHaveValue("Mine too");
});

test("signing out in a tab ends the connection of the other tab at once", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const page = alice.page;
  const socket = page.waitForEvent("websocket");
  const here = await alice.open(conversation, bob);
  const open = await socket;
  const other = new HomePage(await alice.tab());
  await other.page.goto("/");
  await ready(other.page);
  const speed = new MachineSpeed();
  for (let turn = 0; turn < 3; turn += 1) await speed.inPage(page);
  // The server also checks each session every five seconds, so this bound proves that the sign-out itself closes the connection.
  const bound = 4_000 * speed.slowness();
  await Promise.all([open.waitForEvent("close", { timeout: bound }), signOutOf(other.page).click()]);
  await expect(here.page.getByRole("link", { name: "Sign in" }).or(here.page.getByRole("button", { name: "Sign in" }))).toBeVisible();
  await bob.apiSend(conversation, "Not for the signed out");
  const bobHere = await bob.open(conversation, alice);
  await bobHere.expectState("Not for the signed out", "sent");
  await expect(new ConversationPage(page, bob.name).message("Not for the signed out")).toHaveCount(0);
});
