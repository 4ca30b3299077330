import { ConversationPage, HomePage, ready, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";

test("two new users sign up, find each other, and read each other's messages", async ({ browser, server, watch }) => {
  const [hers, his] = await Promise.all([browser.newContext({ baseURL: server.url }), browser.newContext({ baseURL: server.url })]);
  watch.over(hers);
  watch.over(his);
  const arrive = async (context: typeof hers, username: string, name: string) => {
    const page = await context.newPage();
    const form = new SignUpPage(page);
    await form.goto();
    await ready(page);
    await form.submit(username, name, "a walk in the rain");
    await page.waitForURL(/\/$/);
    await ready(page);
    return new HomePage(page);
  };
  const alice = await arrive(hers, "alice", "Alice Arden");
  const bob = await arrive(his, "bob", "Bob Byrne");

  const toBob = await alice.find("Bob Byrne");
  await expect(toBob.heading).toBeVisible();
  await toBob.write("Shall we go to the lake?");
  await toBob.expectState("Shall we go to the lake?", "sent");

  await bob.requests.click();
  const entry = bob.page.getByRole("main").getByRole("link").filter({ hasText: "Alice Arden" });
  await expect(entry).toContainText("Shall we go to the lake?");
  await entry.click();
  await bob.page.waitForURL(/\/c\//);

  const toAlice = new ConversationPage(bob.page, "Alice Arden");
  await toAlice.expectBodies("Shall we go to the lake?");
  await toBob.expectState("Shall we go to the lake?", "sent");
  await toAlice.write("At seven, gladly.");
  await toBob.expectState("Shall we go to the lake?", "read");
  await toAlice.expectState("At seven, gladly.", "read");
  await toBob.write("Then at seven.");
  await toBob.expectState("Then at seven.", "read");

  const bodies = ["Shall we go to the lake?", "At seven, gladly.", "Then at seven."];
  await toBob.expectBodies(...bodies);
  await toAlice.expectBodies(...bodies);
  expect(toAlice.id).toBe(toBob.id);

  await Promise.all([hers.close(), his.close()]);
});
