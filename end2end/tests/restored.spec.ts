import { HomePage } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";

// Upper bound for the page to reconnect by itself after an outage.
const RETURN = 40_000;

// The server detects a restored backup of the database file. Only pages detect a restored snapshot, which contains all files.
for (const what of ["database", "everything"] as const) {
  test(`after a restored copy of the store (${what}) the page shows the content of the store and keeps typed text`, async ({
    alice,
    bob,
    conversation,
    server,
    watch,
  }) => {
    watch.allow(OUTAGE, REFUSAL);
    await alice.apiSend(conversation, "Before the copy");
    const copy = await server.keepCopy();

    const aliceHere = await alice.open(conversation, bob);
    await alice.apiSend(conversation, "Lost, one");
    await bob.apiSend(conversation, "Lost, two");
    await aliceHere.expectBodies("Before the copy", "Lost, one", "Lost, two");
    await aliceHere.box.fill("Still typing");
    await aliceHere.expectDraftStored("Still typing");

    await server.putBack(copy, what);
    await aliceHere.expectBodies("Before the copy");
    await expect(aliceHere.box).toHaveValue("Still typing");

    await bob.apiSend(conversation, "After it");
    await aliceHere.expectBodies("Before the copy", "After it");
    await aliceHere.box.press("Enter");
    await aliceHere.expectStored("Still typing", RETURN);
    await aliceHere.expectBodies("Before the copy", "After it", "Still typing");
    await aliceHere.page.reload();
    await aliceHere.expectBodies("Before the copy", "After it", "Still typing");
  });
}

test("after a restored snapshot with more new messages than were lost, the page shows the content of the store", async ({
  alice,
  bob,
  conversation,
  server,
  watch,
}) => {
  watch.allow(OUTAGE, REFUSAL);
  await alice.apiSend(conversation, "Before the copy");
  const copy = await server.keepCopy();
  const aliceHere = await alice.open(conversation, bob);
  await bob.apiSend(conversation, "Lost, one", "Lost, two");
  await aliceHere.expectBodies("Before the copy", "Lost, one", "Lost, two");

  await alice.context.setOffline(true);
  await server.putBack(copy, "everything");
  await aliceHere.write("Written meanwhile");
  await aliceHere.expectState("Written meanwhile", "sending");
  const said = ["One", "Two", "Three", "Four"].map((number) => `${number}, in the new life`);
  await bob.apiSend(conversation, ...said);
  await alice.context.setOffline(false);
  await aliceHere.expectBodies("Before the copy", ...said, "Written meanwhile");
  await aliceHere.expectStored("Written meanwhile", RETURN);
});

for (const [what, opened] of [["database", "Carol Cole"], ["everything", "Carol Cole"], ["everything", "Bob Byrne"]] as const) {
  test(`a conversation that the restored copy lacks is removed from the page (${what}, at ${opened})`, async ({
    alice,
    bob,
    createUser,
    conversation,
    server,
    watch,
  }) => {
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
