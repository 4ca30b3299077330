import type { Locator } from "@playwright/test";
import { ApiUser } from "../support/api-user";
import { ariaSnapshot } from "../support/pages";
import type { User } from "../support/user";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

const LONG = {
  arabic: "وصل القطار مساء أمس وأحتاج إليه اليوم قبل أن أذهب إلى العمل في الصباح الباكر، فهل تستطيع أن ترسله إلي",
  hebrew: "הרכבת הגיעה אתמול בערב ואני צריך אותה היום לפני שאני הולך לעבודה מוקדם בבוקר, האם תוכל לשלוח לי",
  english: "The train came in yesterday evening, and I need it today before I go to work, early in the morning",
};

/** Creates a user who sends a message to `to`. */
async function receiveMessage(to: User, server: Server, name: string, body: string): Promise<void> {
  const sender = await ApiUser.create(server, name);
  const conversation = await sender.openConversation(await to.apiId());
  await to.apiAccept(conversation);
  await sender.send(conversation, body);
}

/** Whether the first letter of a preview is visible, and whether the preview is cut off. */
function preview(entry: Locator): Promise<{ beginning: boolean; cut: boolean }> {
  return entry.locator(".preview bdi").evaluate((line) => {
    const letter = document.createRange();
    letter.setStart(line.firstChild as Node, 0);
    letter.setEnd(line.firstChild as Node, 1);
    const [first, box] = [letter.getBoundingClientRect(), line.getBoundingClientRect()];
    return { beginning: first.left >= box.left - 1 && first.right <= box.right + 1, cut: line.scrollWidth > line.clientWidth };
  });
}

test("a preview shows the beginning of the message in both text directions", async ({ alice, createUser, server }) => {
  const amal = await createUser("Amal Arabi", { locale: "ar" });
  for (const reader of [alice, amal]) {
    for (const [name, body] of Object.entries(LONG)) await receiveMessage(reader, server, `${name}.for.${reader.username.slice(0, 4)}`, body);
    await reader.home();
    const entries = reader.page.locator(".list-entry");
    await expect(entries).toHaveCount(3);
    for (const entry of await entries.all()) expect(await preview(entry), await entry.innerText()).toEqual({ beginning: true, cut: true });
  }
});

test("a list entry shows the state of the user's last message, sent or unsent, and whether the peer is online", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  await alice.apiSend(conversation, "Are you there?");
  const network = await Network.of(alice.context);
  const home = await alice.home();
  const entry = home.entry(bob.name);
  await expect(entry.locator(".preview .tick")).toHaveCount(1);
  await expect.poll(() => ariaSnapshot(entry)).toMatch(/You: Are you there\? ?, sent/i);
  expect(await ariaSnapshot(entry)).not.toMatch(/online/);
  const bobs = await bob.open(conversation, alice);
  await expect(entry.locator(".tick.is-read")).toBeVisible();
  await expect.poll(() => ariaSnapshot(entry)).toMatch(/Bob Byrne ?, online/);
  await expect.poll(() => ariaSnapshot(entry)).toMatch(/, read/i);
  await bobs.write("Here I am");
  await expect(entry).toContainText("Here I am");
  await expect(entry.locator(".tick")).toHaveCount(0);

  const here = await alice.open(conversation, bob);
  await network.cut();
  await here.write("In the tunnel");
  await here.expectState("In the tunnel", "sending");
  await expect(entry).toContainText("In the tunnel");
  await expect.poll(() => ariaSnapshot(entry)).toMatch(/, sending/i);
  network.restore();
  await expect.poll(() => ariaSnapshot(entry)).toMatch(/You: In the tunnel ?, (delivered|read)/i);
});

test("a list entry moves to the top, and the list can be used meanwhile", async ({ alice, bob, createUser, conversation }) => {
  const carl = await createUser("Carl Cole");
  await bob.apiSend(conversation, "First");
  await carl.apiSend(await carl.apiConversation(alice), "Second");
  const home = await alice.home();
  const first = alice.page.locator(".list-entry").first();
  await expect(first).toContainText("Carl Cole");
  // The browser reports every animation, however short.
  await alice.page.evaluate(() => {
    const list = document.querySelector(".conversation-list");
    const moved = new Promise((resolve) =>
      list?.addEventListener("transitionrun", (event) => resolve((event as TransitionEvent).propertyName), { once: true }),
    );
    Object.assign(window, { moved });
  });
  await bob.apiSend(conversation, "Third");
  await expect(first).toContainText("Bob Byrne");
  expect(["opacity", "translate"]).toContain(await alice.page.evaluate(() => (window as unknown as { moved: Promise<string> }).moved));
  await home.entry("Carl Cole").click();
  await alice.page.waitForURL(/\/c\//);
});
