import { ConversationPage, expectSameOrder, ready } from "../support/pages";
import { expect, test } from "../support/test";
import { Network } from "../support/network";

test("a user who returns finds every message once, with an unread count and a divider", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "Before you left");
  const bobHere = await bob.open(conversation, alice);
  await expect(bobHere.message("Before you left")).toBeVisible();
  const aliceHere = await alice.open(conversation, bob);
  await aliceHere.expectState("Before you left", "read");

  await bob.page.close();
  const missed = ["The ferry is late", "We wait at the pier", "Never mind, it came"];
  for (const body of missed) await aliceHere.write(body);
  for (const body of missed) await aliceHere.expectState(body, "sent");

  const back = await bob.home(await bob.tab());
  const entry = back.entry(alice.name);
  await expect(entry).toContainText("Never mind, it came");
  await back.expectUnread(alice.name, 3);
  await aliceHere.expectState("Never mind, it came", "delivered");

  await entry.click();
  const bobBack = new ConversationPage(back.page, alice.name);
  await bobBack.expectBodies("Before you left", ...missed);
  await expect(bobBack.divider(3)).toBeVisible();
  await aliceHere.expectState("Never mind, it came", "read");
  await back.expectUnread(alice.name, 0);
});

test("typing and presence are shown and then removed", async ({ alice, bob, conversation }) => {
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  const header = aliceHere.page.getByRole("main");
  await expect(header.getByText("online").first()).toBeVisible();
  await bobHere.box.pressSequentially("I was ju");
  await expect(header.getByText(/typing/).first()).toBeVisible();
  await bobHere.box.fill("");
  await expect(header.getByText(/typing/)).toHaveCount(0);
});

test("two users who open a conversation at the same time get the same conversation", async ({ alice, bob }) => {
  const [hers, his] = await Promise.all([alice.home(), bob.home()]);
  await Promise.all([hers.search.fill(bob.name), his.search.fill(alice.name)]);
  await Promise.all([hers.result(bob.name).waitFor(), his.result(alice.name).waitFor()]);
  await Promise.all([hers.result(bob.name).click(), his.result(alice.name).click()]);
  await Promise.all([hers.page.waitForURL(/\/c\//), his.page.waitForURL(/\/c\//)]);
  const aliceHere = new ConversationPage(hers.page, bob.name);
  const bobHere = new ConversationPage(his.page, alice.name);
  expect(aliceHere.id).toBe(bobHere.id);
  await Promise.all([aliceHere.write("You too?"), bobHere.write("Me too!")]);
  await Promise.all([aliceHere.expectStored("You too?"), bobHere.expectStored("Me too!")]);
  await expectSameOrder(aliceHere, bobHere, ["You too?", "Me too!"]);
});

test("Enter sends, Shift+Enter breaks the line", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially("First line");
  await here.box.press("Shift+Enter");
  await here.box.pressSequentially("second line");
  await expect(here.messages).toHaveCount(0);
  await expect(here.box).toHaveValue("First line\nsecond line");
  await here.box.press("Enter");
  await expect(here.messages).toHaveCount(1);
  await expect(here.message("First line\nsecond line")).toBeVisible();
  await expect(here.box).toHaveValue("");
  await expect(here.box).toBeFocused();
});

test("Enter that ends an input method's composition does not send", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const keyboard = await alice.context.newCDPSession(here.page);
  await here.box.focus();
  await keyboard.send("Input.imeSetComposition", { text: "にほん", selectionStart: 3, selectionEnd: 3 });
  for (const type of ["rawKeyDown", "keyUp"] as const) {
    await keyboard.send("Input.dispatchKeyEvent", { type, key: "Enter", code: "Enter", windowsVirtualKeyCode: 229 });
  }
  await keyboard.send("Input.insertText", { text: "日本" });
  await expect(here.box).toHaveValue("日本");
  await expect(here.messages).toHaveCount(0);
  await here.box.press("Enter");
  await expect(here.message("日本")).toBeVisible();
});

test("an empty message is not sent", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.write("  \n ");
  if (await here.send.isEnabled()) await here.send.click();
  await here.write("Something");
  await here.expectStored("Something");
  await expect(here.messages).toHaveCount(1);
});

test("a message over the limit is refused and stays in the box", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const long = "a".repeat(4001);
  await here.write(long);
  await expect(here.page.getByText(/4,?000|too long/i).first()).toBeVisible();
  await expect(here.messages).toHaveCount(0);
  await expect(here.box).toHaveValue(long);
  await here.write(long.slice(1));
  await here.expectStored(long.slice(1));
});

test("message bodies are shown as text, and only web addresses become links", async ({ alice, bob, conversation }) => {
  const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script> javascript:alert(1)`;
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  await aliceHere.write(hostile);
  await aliceHere.write("See https://example.org/a?b=1&c=<d>");
  for (const here of [aliceHere, bobHere]) {
    await expect(here.message(hostile)).toBeVisible();
    await expect(here.log.getByRole("link")).toHaveCount(1);
    await expect(here.log.getByRole("link")).toHaveAttribute("href", /^https:\/\/example\.org\/a\?b=1&c=/);
    await expect(here.log.getByRole("link")).toHaveAttribute("rel", /noopener/);
    await expect(here.page).not.toHaveTitle(/owned/);
  }
  await bobHere.page.reload();
  await ready(bobHere.page);
  await expect(bobHere.message(hostile)).toBeVisible();
});

test("another user's conversation and a missing conversation get the same answer", async ({ alice, createUser, conversation, watch }) => {
  watch.allow(/status of 404/);
  await alice.apiSend(conversation, "Between us");
  const carol = await createUser("Carol Cole");
  const texts = [];
  for (const id of [conversation, "01890000-0000-7000-8000-000000000000"]) {
    const answer = await carol.page.goto(`/c/${id}`);
    expect(answer?.status()).toBe(404);
    await expect(carol.page.getByText("Between us")).toHaveCount(0);
    texts.push(await carol.page.getByRole("main").innerText());
  }
  expect(texts[0]).toBe(texts[1]);
});

test("a read mark that the server refused as busy is sent later", async ({ alice, bob, conversation }) => {
  const network = await Network.of(bob.context);
  const bobHere = await bob.open(conversation, alice);
  const aliceHere = await alice.open(conversation, bob);
  network.refuse("busy", "read");
  await aliceHere.write("Did you see this?");
  await expect(bobHere.message("Did you see this?")).toBeVisible();
  await aliceHere.expectState("Did you see this?", "delivered");
  await network.refused("read");
  network.refuse(undefined);
  await aliceHere.expectState("Did you see this?", "read");
});
