import { ExtendedBrowser, KINDS } from "../support/extension";
import { ConversationPage, createInvitation, HomePage, ready, SignInPage, signOutOf, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

// Extensions run when the browser is idle, which is before the program has loaded. Each test visits all forms.

for (const kind of KINDS) {
  test(`every form works after an extension changed the page: ${kind}`, async ({ server, alice, bob, watch }) => {
    test.setTimeout(600_000);
    watch.allow(REFUSAL);
    const invitation = await createInvitation(alice.page);
    const extended = await ExtendedBrowser.start(server, kind);
    watch.over(extended.context);
    const page = await extended.context.newPage();

    const signUp = new SignUpPage(page);
    await extended.load(page, "/sign-up", () => signUp.username.fill("wanda.wide"));
    await expect(signUp.username).toHaveValue("wanda.wide");
    await signUp.displayName.fill("Wanda Wide");
    await signUp.password.fill("wanda likes long walks");
    await signUp.create.click();
    await page.waitForURL(/\/$/);

    const home = new HomePage(page);
    await extended.load(page, "/", () => home.search.fill("Bob B"));
    await expect(page.locator("html")).toHaveAttribute("data-start", "hydrate");
    if (kind === "beside") await expect(page.locator("#app .stranger").first()).toBeAttached();
    await expect(home.search).toHaveValue("Bob B");
    const opened = await home.find(bob.name);
    const conversation = opened.id;

    const here = new ConversationPage(page, bob.name);
    await extended.load(page, `/c/${conversation}`, () => here.box.fill("Typed before"));
    await expect(here.box).toHaveValue("Typed before");
    await here.box.press("Enter");
    await here.expectStored("Typed before");
    await here.box.fill("By the button");
    await here.send.click();
    await here.expectStored("By the button");
    await bob.apiSend(conversation, "An answer");
    await expect(here.message("An answer")).toBeVisible();
    // The server's HTML is complete.
    await extended.load(page, `/c/${conversation}`, () => here.box.fill("Typed again"));
    await here.expectBodies("Typed before", "By the button", "An answer");
    await expect(page.getByRole("heading", { name: bob.name, exact: true })).toBeVisible();
    await expect(here.box).toHaveValue("Typed again");
    await here.box.press("Enter");
    await here.expectStored("Typed again");

    const name = page.getByLabel("Your name");
    await extended.load(page, "/settings", () => name.fill("Wanda Winter"));
    await expect(name).toHaveValue("Wanda Winter");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Saved", { exact: true })).toBeVisible();
    const stored = page.waitForResponse((response) => response.url().includes("set_privacy"));
    await page.getByRole("switch", { name: "Read receipts" }).click();
    await stored;
    await page.getByLabel("Current password").fill("wanda likes long walks");
    await page.getByLabel("New password").fill("a quiet evening by the lake");
    await page.getByRole("button", { name: "Change password" }).click();
    await expect(page.getByText("Password changed")).toBeVisible();

    await signOutOf(page).click();
    await page.waitForURL(/\/sign-in/);
    const signIn = new SignInPage(page);
    await extended.load(page, "/sign-in", () => signIn.username.fill("wanda.wide"));
    await expect(signIn.username).toHaveValue("wanda.wide");
    await signIn.password.fill("a quiet evening by the lake");
    await signIn.signIn.click();
    await page.waitForURL(/\/$/);
    await ready(page);
    await signOutOf(page).click();
    await page.waitForURL(/\/sign-in/);

    await extended.load(page, invitation, () => signUp.username.fill("ingo.invited"));
    await expect(signUp.username).toHaveValue("ingo.invited");
    await signUp.displayName.fill("Ingo Invited");
    await signUp.password.fill("ingo likes long walks");
    await signUp.create.click();
    await page.waitForURL(/\/c\//);
    await ready(page);
    const withAlice = new ConversationPage(page, alice.name);
    await withAlice.write("I am in");
    await withAlice.expectStored("I am in");
    await extended.close();
  });
}
