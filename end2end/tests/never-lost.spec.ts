import { type ConversationPage, HomePage, ready, SignInPage } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { Network } from "../support/network";

/** Upper bound, on a busy machine, for a page to reconnect by itself after an outage. */
const RETURN = 120_000;

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`messages written during a restart of the server (${signal}) are sent once`, async ({ alice, bob, conversation, server, watch }) => {
    watch.allow(OUTAGE);
    const aliceHere = await alice.open(conversation, bob);
    const bobHere = await bob.open(conversation, alice);
    await aliceHere.write("Before");
    await aliceHere.expectState("Before", "read");

    await server.stop(signal);
    await aliceHere.write("Meanwhile, one");
    await aliceHere.write("Meanwhile, two");
    await aliceHere.expectState("Meanwhile, two", "sending");
    await bobHere.write("Are you there?");
    await bobHere.expectState("Are you there?", "sending");
    await server.start();

    await aliceHere.expectState("Meanwhile, one", "read", RETURN);
    await aliceHere.expectState("Meanwhile, two", "read", RETURN);
    await bobHere.expectState("Are you there?", "read", RETURN);
    await aliceHere.write("After");
    await aliceHere.expectState("After", "read", RETURN);

    await expect(aliceHere.messages).toHaveCount(5);
    await expect(bobHere.messages).toHaveCount(5);
    const hers = ["Before", "Meanwhile, one", "Meanwhile, two", "After"];
    const seen = await bobHere.order(...hers, "Are you there?");
    expect(await aliceHere.order(...hers, "Are you there?")).toEqual(seen);
    expect(seen.filter((body) => body !== "Are you there?")).toEqual(hers);
  });
}

test("messages written while the server is killed several times arrive once and in order", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  const bodies = Array.from({ length: 12 }, (_, index) => `Line ${String.fromCharCode(65 + index)}.`);
  for (const [index, body] of bodies.entries()) {
    await aliceHere.write(body);
    if (index % 4 === 2) await server.restart("SIGKILL");
  }
  for (const body of bodies) await aliceHere.expectState(body, "read", RETURN);
  await aliceHere.expectBodies(...bodies);
  await bobHere.expectBodies(...bodies);
});

test("messages survive a network outage", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  await alice.context.setOffline(true);
  // An open socket may survive the emulated outage; a restart ends it for good.
  await server.restart();
  await aliceHere.write("Written in a tunnel");
  await aliceHere.expectState("Written in a tunnel", "sending");
  await bobHere.write("Meanwhile at home");
  await bobHere.expectStored("Meanwhile at home", RETURN);
  await expect(aliceHere.message("Meanwhile at home")).toHaveCount(0);

  await alice.context.setOffline(false);
  await aliceHere.expectState("Written in a tunnel", "read", RETURN);
  await bobHere.expectState("Meanwhile at home", "read", RETURN);
  await aliceHere.expectBodies("Meanwhile at home", "Written in a tunnel");
  await bobHere.expectBodies("Meanwhile at home", "Written in a tunnel");
});

test("an unsent message survives a reload and is sent once", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const bobHere = await bob.open(conversation, alice);
  const aliceHere = await alice.open(conversation, bob);
  await network.cut();
  await aliceHere.write("Hold this for me");
  await aliceHere.expectState("Hold this for me", "sending");
  await aliceHere.page.reload();
  await ready(aliceHere.page);
  await aliceHere.expectState("Hold this for me", "sending");
  await expect(bobHere.messages).toHaveCount(0);

  network.restore();
  await aliceHere.expectState("Hold this for me", "read", RETURN);
  await aliceHere.expectBodies("Hold this for me");
  await bobHere.expectBodies("Hold this for me");
  await aliceHere.page.reload();
  await ready(aliceHere.page);
  await aliceHere.expectBodies("Hold this for me");
});

test("an unsent message and a draft survive the crash of the tab", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const aliceHere = await alice.open(conversation, bob);
  await network.cut();
  await aliceHere.write("Sent before the crash");
  await aliceHere.expectState("Sent before the crash", "sending");
  await aliceHere.box.fill("A thought, half");
  await aliceHere.expectDraftStored("A thought, half");
  await crash(aliceHere);

  network.restore();
  const back = await alice.open(conversation, bob, await alice.tab());
  await expect(back.box).toHaveValue("A thought, half");
  await back.expectStored("Sent before the crash", RETURN);
  await back.expectBodies("Sent before the crash");
});

test("a draft survives a reload and navigation, and is deleted when it is sent", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("Dear Bob, I have been meaning");
  await here.page.reload();
  await ready(here.page);
  await expect(here.box).toHaveValue("Dear Bob, I have been meaning");

  const home = await alice.home();
  await home.entry(bob.name).click();
  await expect(here.box).toHaveValue("Dear Bob, I have been meaning");
  await here.box.press("Enter");
  await here.expectStored("Dear Bob, I have been meaning");
  await here.page.reload();
  await ready(here.page);
  await expect(here.box).toHaveValue("");
});

test("a waiting message and a draft are kept when the session ends, until the user signs in again", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const bobHere = await bob.open(conversation, alice);
  const here = await alice.open(conversation, bob);
  await here.write("While signed in");
  await here.expectState("While signed in", "read");

  await alice.context.setOffline(true);
  await here.write("While offline");
  await here.expectState("While offline", "sending");
  await here.box.fill("And a draft");
  await here.expectDraftStored("And a draft");
  await alice.apiEndSession();
  await alice.context.setOffline(false);
  const signIn = here.page.getByRole("link", { name: "Sign in" });
  await expect(signIn).toBeVisible();

  await signIn.click();
  await here.page.waitForURL(/\/sign-in/);
  await ready(here.page);
  await new SignInPage(here.page).submit(alice.username, alice.password);
  await here.page.waitForURL((url) => url.pathname === `/c/${conversation}`);
  await here.expectState("While offline", "read", RETURN);
  await expect(here.box).toHaveValue("And a draft");
  await here.expectBodies("While signed in", "While offline");
  await bobHere.expectBodies("While signed in", "While offline");
});

test("unsent messages of a user are never sent by another user of the same browser", async ({ alice, bob, createUser, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const carol = await createUser("Carol Cole");
  const here = await alice.open(conversation, bob);
  await alice.context.setOffline(true);
  await here.write("From Alice alone");
  await here.expectState("From Alice alone", "sending");
  await alice.apiEndSession();
  await alice.context.setOffline(false);
  await expect(here.page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await here.page.goto("/sign-in");
  await ready(here.page);
  await new SignInPage(here.page).submit(carol.username, carol.password);
  await here.page.waitForURL(/\/$/);
  await ready(here.page);
  await expect(here.page.getByText("From Alice alone")).toHaveCount(0);

  const bobHere = await bob.open(conversation, alice);
  await expect(bobHere.messages).toHaveCount(0);

  await new HomePage(here.page).signOut();
  await ready(here.page);
  await new SignInPage(here.page).submit(alice.username, alice.password);
  await here.page.waitForURL(/\/$/);
  await expect(bobHere.message("From Alice alone")).toBeVisible({ timeout: RETURN });
});

test("a permanently refused message shows an error and can be retried or deleted", async ({ alice, bob, conversation }) => {
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  network.refuse("body_control_character");
  await here.write("Try this again");
  await here.expectState("Try this again", "not sent");
  await here.write("Forget this one");
  await here.expectState("Forget this one", "not sent");

  await here.page.reload();
  await ready(here.page);
  await here.expectState("Forget this one", "not sent");
  await here.message("Forget this one").getByRole("button", { name: "Delete" }).click();
  await expect(here.message("Forget this one")).toHaveCount(0);
  network.refuse(undefined);
  await here.message("Try this again").getByRole("button", { name: "Retry" }).click();
  await here.expectStored("Try this again");
  await here.page.reload();
  await ready(here.page);
  await here.expectBodies("Try this again");
});

/** Ends the process of the tab, as a lack of memory does. */
async function crash(here: ConversationPage): Promise<void> {
  const crashed = here.page.waitForEvent("crash");
  const session = await here.page.context().newCDPSession(here.page);
  session.send("Page.crash").catch(() => undefined);
  await crashed;
  await here.page.close();
}
