import { HomePage, ready } from "../support/pages";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import type { User } from "../support/user";
import { OUTAGE, REFUSAL } from "../support/watch";

/** Upper bound for the page to reconnect by itself after an outage. */
const RETURN = 40_000;

/** Opens Alice's conversation with two messages that a copy of the store lacks; returns her page and the copy. */
async function openWithLostMessages(server: Server, conversation: string, alice: User, bob: User) {
  await alice.apiSend(conversation, "Before the copy");
  const copy = await server.keepCopy();
  const here = await alice.open(conversation, bob);
  await alice.apiSend(conversation, "Lost, one");
  await bob.apiSend(conversation, "Lost, two");
  await here.expectBodies("Before the copy", "Lost, one", "Lost, two");
  return { here, copy };
}

// The server detects a restored backup of the database file. Only pages detect a restored snapshot, which contains all files.
for (const what of ["database", "everything"] as const) {
  test(`after the restore of a copy (${what}) the page shows the content of the store and keeps typed text`, async ({ alice, bob, conversation, server, watch }) => {
    watch.allow(OUTAGE, REFUSAL);
    const { here, copy } = await openWithLostMessages(server, conversation, alice, bob);
    await here.box.fill("Still typing");
    await here.expectDraftStored("Still typing");

    await server.putBack(copy, what);
    await here.expectBodies("Before the copy");
    await expect(here.box).toHaveValue("Still typing");

    await bob.apiSend(conversation, "After it");
    await here.expectBodies("Before the copy", "After it");
    await here.box.press("Enter");
    await here.expectStored("Still typing", RETURN);
    await here.expectBodies("Before the copy", "After it", "Still typing");
    await here.page.reload();
    await ready(here.page);
    await here.expectBodies("Before the copy", "After it", "Still typing");
  });
}

test("after the restore of a snapshot with more new messages than were lost, the page shows the content of the store", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const { here, copy } = await openWithLostMessages(server, conversation, alice, bob);
  await alice.context.setOffline(true);
  await server.putBack(copy, "everything");
  await here.write("Written meanwhile");
  await here.expectState("Written meanwhile", "sending");
  const added = ["One", "Two", "Three", "Four"].map((number) => `${number}, after the restore`);
  await bob.apiSend(conversation, ...added);
  await alice.context.setOffline(false);
  await here.expectBodies("Before the copy", ...added, "Written meanwhile");
  await here.expectStored("Written meanwhile", RETURN);
});

for (const [what, opened] of [["database", "Carol Cole"], ["everything", "Carol Cole"], ["everything", "Bob Byrne"]] as const) {
  test(`a conversation that the restored copy lacks is removed from the page (${what}, with ${opened} open)`, async ({ alice, bob, createUser, conversation, server, watch }) => {
    watch.allow(OUTAGE, REFUSAL);
    await bob.apiSend(conversation, "Before the copy");
    const carol = await createUser("Carol Cole");
    const copy = await server.keepCopy();
    const withCarol = await alice.apiConversation(carol);
    await alice.apiSend(withCarol, "Lost");
    const isAtCarol = opened === carol.name;
    const aliceHere = await alice.open(isAtCarol ? withCarol : conversation, isAtCarol ? carol : bob);
    await aliceHere.expectBodies(isAtCarol ? "Lost" : "Before the copy");
    const home = new HomePage(alice.page);
    await expect(home.entry("Carol Cole")).toBeVisible();

    await server.putBack(copy, what);
    await expect(home.entry("Carol Cole")).toHaveCount(0, { timeout: RETURN });
    await expect(alice.page.getByRole("heading", { name: "Carol Cole" })).toHaveCount(0);
    await expect(home.entry("Bob Byrne")).toContainText("Before the copy");
  });
}
