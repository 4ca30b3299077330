import type { Page } from "@playwright/test";
import { holdWasm } from "../support/hold";
import { HomePage, ready, SignInPage, signOutOf } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { Network } from "../support/network";

/** The whole storage of this browser. */
async function storageText(page: Page): Promise<string> {
  return page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
}

function dialogOf(page: Page) {
  return page.getByRole("dialog", { name: "You have unsent text in this browser" });
}

test("a user without unsent text signs out at once", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.write("All sent");
  await here.expectStored("All sent");
  await new HomePage(here.page).signOut();
  expect(await storageText(here.page)).not.toContain("All sent");
});

test("signing out offers to delete drafts and unsent messages, and deletes them on request", async ({ alice, bob, conversation, watch }) => {
  // Without a socket the page polls, and a poll that is under way at the sign-out is refused.
  watch.allow(OUTAGE, REFUSAL);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await here.write("Never got out");
  await here.expectState("Never got out", "sending");
  await here.box.fill("A secret draft");
  await signOutOf(here.page).click();
  await expect(dialogOf(here.page)).toContainText("1 unsent message");
  await expect(dialogOf(here.page)).toContainText("1 draft");

  // Cancel changes nothing.
  await dialogOf(here.page).getByRole("button", { name: "Cancel" }).click();
  await expect(dialogOf(here.page)).toHaveCount(0);
  await here.expectDraftStored("A secret draft");

  await signOutOf(here.page).click();
  await dialogOf(here.page).getByRole("button", { name: "Delete and sign out" }).click();
  await here.page.waitForURL(/\/sign-in/);
  await ready(here.page);
  expect(await storageText(here.page)).not.toMatch(/A secret draft|Never got out/);
});

test("a failed sign-out shows the reason and closes the dialog", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await here.box.fill("A draft");
  await here.expectDraftStored("A draft");
  // The dialog works without a network once it has been loaded.
  await signOutOf(here.page).click();
  await dialogOf(here.page).getByRole("button", { name: "Cancel" }).click();
  await expect(dialogOf(here.page)).toHaveCount(0);
  await network.cut();
  await alice.context.setOffline(true);
  await signOutOf(here.page).click();
  await dialogOf(here.page).getByRole("button", { name: "Delete and sign out" }).click();
  await expect(here.page.getByRole("alert").filter({ hasText: /server.*still signed in/i })).toBeVisible();
  await expect(dialogOf(here.page)).toHaveCount(0);
  await here.expectDraftStored("A draft");
  // The button works as before.
  await alice.context.setOffline(false);
  await signOutOf(here.page).click();
  await dialogOf(here.page).getByRole("button", { name: "Delete and sign out" }).click();
  await here.page.waitForURL(/\/sign-in/);
  expect(await storageText(here.page)).not.toMatch(/duet:[0-9a-f]{8}-/);
});

for (const deletes of [true, false]) {
  test(`signing out before the page is live asks about unsent text (${deletes ? "delete" : "keep"})`, async ({ alice, bob, conversation }) => {
    const here = await alice.open(conversation, bob);
    await here.box.fill("An early draft");
    await here.expectDraftStored("An early draft");
    await holdWasm(alice.context);
    here.page.on("dialog", (dialog) => (deletes ? dialog.accept() : dialog.dismiss()));
    // The script that asks is at the end of the document.
    await here.page.goto("/", { waitUntil: "domcontentloaded" });
    await signOutOf(here.page).click();
    await here.page.waitForURL(/\/sign-in/);
    const left = await storageText(here.page);
    if (deletes) expect(left).not.toContain("An early draft");
    else expect(left).toContain("An early draft");
  });
}

test("deleting an account before the page is live leaves no data in the browser", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("A last draft");
  await here.expectDraftStored("A last draft");
  await holdWasm(alice.context);
  await here.page.goto("/settings", { waitUntil: "domcontentloaded" });
  await here.page.getByText("Delete account…").click();
  await here.page.getByRole("region", { name: "Delete account" }).getByLabel("Password", { exact: true }).fill(alice.password);
  await here.page.getByRole("button", { name: "Delete my account permanently" }).click();
  await here.page.waitForURL(/\/sign-in/);
  await expect.poll(() => storageText(here.page)).not.toMatch(/duet:[0-9a-f]{8}-/);
});

test("text kept at sign-out is present after the next sign-in", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const other = await alice.open(conversation, bob, await alice.tab());
  await here.box.fill("Keep this for me");
  await here.expectDraftStored("Keep this for me");
  await other.page.close();
  await signOutOf(here.page).click();
  await dialogOf(here.page).getByRole("button", { name: "Keep and sign out" }).click();
  await here.page.waitForURL(/\/sign-in/);
  await ready(here.page);
  await new SignInPage(here.page).submit(alice.username, alice.password);
  await here.page.waitForURL(/\/$/);
  await expect((await alice.open(conversation, bob)).box).toHaveValue("Keep this for me");
});

test("deleted drafts do not reappear from another tab", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE, REFUSAL);
  const other = await alice.open(conversation, bob);
  await other.box.fill("Written over there");
  await other.expectDraftStored("Written over there");
  const home = new HomePage(await alice.tab());
  await home.page.goto("/");
  await ready(home.page);
  await signOutOf(home.page).click();
  await dialogOf(home.page).getByRole("button", { name: "Delete and sign out" }).click();
  await home.page.waitForURL(/\/sign-in/);
  await expect(other.page.getByRole("textbox", { name: "Message", includeHidden: true })).toHaveValue("");
  await other.page.goto("/sign-in");
  expect(await storageText(home.page)).not.toContain("Written over there");
});

test("deleting an account leaves no data in the browser", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await here.write("Waits for ever");
  await here.expectState("Waits for ever", "sending");
  await here.box.fill("A last draft");
  await here.expectDraftStored("A last draft");
  await here.page.goto("/settings");
  await ready(here.page);
  await here.page.getByText("Delete account…").click();
  await here.page.getByRole("region", { name: "Delete account" }).getByLabel("Password", { exact: true }).fill(alice.password);
  await here.page.getByRole("button", { name: "Delete my account permanently" }).click();
  await here.page.waitForURL(/\/sign-in/);
  await ready(here.page);
  const rest = await storageText(here.page);
  expect(rest).not.toMatch(/A last draft|Waits for ever/);
  expect(rest).not.toMatch(/duet:[0-9a-f]{8}-/);
});

for (const isLive of [true, false]) {
  test(`deleting an account ${isLive ? "" : "before the page is live "}clears what another tab holds`, async ({ alice, bob, conversation, watch }) => {
    watch.allow(OUTAGE, REFUSAL);
    const network = await Network.of(alice.context);
    const other = await alice.open(conversation, bob, await alice.tab());
    await network.cut();
    await other.write("Waits over there");
    await other.expectState("Waits over there", "sending");
    await other.box.fill("A draft over there");
    await other.expectDraftStored("A draft over there");
    if (!isLive) await holdWasm(alice.context);
    const { page } = alice;
    await page.goto("/settings", { waitUntil: "domcontentloaded" });
    if (isLive) await ready(page);
    await page.getByText("Delete account…").click();
    await page.getByRole("region", { name: "Delete account" }).getByLabel("Password", { exact: true }).fill(alice.password);
    await page.getByRole("button", { name: "Delete my account permanently" }).click();
    await page.waitForURL(/\/sign-in/);
    // The other tab must not promise that the text is kept.
    await other.page.waitForURL(/\/sign-in/);
    for (const tab of [page, other.page]) {
      await expect.poll(() => storageText(tab)).not.toMatch(/duet:[0-9a-f]{8}-|over there/);
    }
  });
}
