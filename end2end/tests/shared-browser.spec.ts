import type { Page } from "@playwright/test";
import { ConversationPage, HomePage, ready, SignInPage, signOutOf } from "../support/pages";
import type { User } from "../support/user";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { Network } from "../support/network";

test("when another user signs in in a second tab, the first tab reloads and shows data of the new user only", async ({ alice, bob, createUser, conversation, context, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const carol = await createUser("Carol Cole");
  await bob.apiSend(conversation, "For Alice alone");
  // Both tabs show the sign-in page before a user is signed in.
  const [first, second] = [await context.newPage(), await context.newPage()];
  for (const page of [first, second]) {
    await page.goto("/sign-in");
    await ready(page);
  }
  await new SignInPage(first).submit(alice.username, alice.password);
  await first.waitForURL(/\/$/);
  await first.goto(`/c/${conversation}`);
  await ready(first);
  const here = new ConversationPage(first, bob.name);
  await expect(here.message("For Alice alone")).toBeVisible();
  await here.box.fill("A draft of Alice");
  await here.expectDraftStored("A draft of Alice");

  await new SignInPage(second).submit(carol.username, carol.password);
  await second.waitForURL(/\/$/);
  await expectPageOf(first, carol);
  await expect(first.getByText("For Alice alone")).toHaveCount(0);
  await expect(new HomePage(first).entry(bob.name)).toHaveCount(0);

  await signOutOf(first).click();
  await first.waitForURL(/\/sign-in/);
  await ready(first);
  await new SignInPage(first).submit(alice.username, alice.password);
  await first.waitForURL(/\/$/);
  await expectPageOf(second, alice);
  await first.goto(`/c/${conversation}`);
  await ready(first);
  await expect(here.box).toHaveValue("A draft of Alice");
});

test("with another user's cookie, no call of the page returns that user's data", async ({ alice, bob, createUser, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const carol = await createUser("Carol Cole");
  const carols = await carol.context.cookies();
  const here = await alice.open(conversation, bob);
  const { page } = here;
  const answers: number[] = [];
  page.on("response", (response) => {
    if (response.url().includes("/api/search")) answers.push(response.status());
  });
  // The page sends a message only after its first calls.
  await here.write("Hello");
  await here.expectStored("Hello");
  // Any call with the other cookie ends this page. The cookie is therefore replaced when the search has begun.
  await page.route(
    "**/api/search",
    async (route) => {
      await alice.context.addCookies(carols);
      await route.continue();
    },
    { times: 1 },
  );
  await new HomePage(page).search.fill("Bo");
  await expectPageOf(page, carol);
  expect([...new Set(answers)]).toEqual([412]);
});

test("a user's text is never sent as another user's message", async ({ alice, bob, createUser, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const carol = await createUser("Carol Cole");
  const network = await Network.of(alice.context);
  const bobHere = await bob.open(conversation, alice);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await here.write("From Alice alone");
  await here.expectState("From Alice alone", "sending");
  const own = await alice.context.cookies();
  await alice.context.addCookies(await carol.context.cookies());
  network.restore();
  await expectPageOf(here.page, carol);
  await expect(here.page.getByText("From Alice alone")).toHaveCount(0);
  await expect(bobHere.messages).toHaveCount(0);

  // A call of Carol's live page with this cookie would reload the page, so the page is left first.
  await here.page.goto("about:blank");
  await alice.context.addCookies(own);
  await here.page.goto(`/c/${conversation}`);
  await ready(here.page);
  await here.expectStored("From Alice alone", 30_000);
  await bobHere.expectBodies("From Alice alone");
});

/** Waits until the page has reloaded for this user. */
async function expectPageOf(page: Page, person: User): Promise<void> {
  await expect(page.getByRole("link", { name: "Settings" })).toContainText(person.name);
  await ready(page);
}
