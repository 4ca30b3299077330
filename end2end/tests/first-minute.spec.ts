import { recordAppearances } from "../support/appearances";
import { steadyTop } from "../support/painting";
import { ConversationPage, createInvitation, fieldMessage, HomePage, ready, SignInPage, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

const password = "a walk in the rain";

test.describe("with the operator's name and welcome text", () => {
  test.use({ settings: { DUET_NAME: "Berg family", DUET_WELCOME: "For us & <friends>; ask Anna." } });

  test("a visitor sees what Duet is and who runs the server, and a signed-in user does not", async ({ alice, page }) => {
    await page.goto("/");
    await page.waitForURL(/\/sign-in/);
    await ready(page);
    const expectGreeting = async () => {
      const main = page.getByRole("main");
      await expect(main).toContainText("Duet is a private chat for two. This server is run by Berg family.");
      await expect(main).toContainText("For us & <friends>; ask Anna.");
      await expect(page.getByText("Welcome back")).toHaveCount(0);
    };
    await expectGreeting();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in");
    await expect(new SignInPage(page).username, "the field has the focus if there is a keyboard").toBeFocused();
    await page.getByRole("link", { name: "Create an account" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Create your account");
    await ready(page);
    await expectGreeting();
    await expect(new SignUpPage(page).displayName).toBeFocused();
    await alice.home();
    await expect(alice.page.getByText("Berg family")).toHaveCount(0);
  });
});

test("without a configured operator, the greeting names the person who gave the address", async ({ page }) => {
  await page.goto("/sign-up");
  await expect(page.getByText("Duet is a private chat for two. This server is run by the person who gave you this address.")).toBeVisible();
});

test("the display name proposes a username until the user chooses one, and available usernames are proposed for a taken one", async ({ createUser, page, watch }) => {
  watch.allow(REFUSAL);
  await createUser("Anna Berg");
  const form = new SignUpPage(page);
  await form.goto();
  await ready(page);
  const order = await page.getByRole("main").locator("input").evaluateAll((fields) => fields.map((field) => (field as HTMLInputElement).name));
  expect(order).toEqual(["display_name", "username", "password"]);
  await expect(form.displayName).toHaveAttribute("autocapitalize", "words");
  await expect(form.displayName).toHaveAttribute("enterkeyhint", "next");
  await expect(form.password).toHaveAttribute("enterkeyhint", "go");
  await expect.poll(() => fieldMessage(form.password), { message: "the rule is shown in advance" }).toMatch(/15 characters.*can.t be recovered/is);
  await form.displayName.pressSequentially("Zoë Łukasz");
  await expect(form.username).toHaveValue("zoe.lukasz");
  await form.displayName.fill("Anna Berg");
  await expect(form.username).toHaveValue("anna.berg");
  await form.password.fill(password);
  await form.create.click();
  await expect.poll(() => fieldMessage(form.username)).toMatch(/taken/);
  const free = page.getByRole("status").getByRole("button");
  await expect(free).toHaveText(["berg.anna", "anna.berg2"]);
  await free.last().click();
  await expect(form.username).toHaveValue("anna.berg2");
  await form.displayName.fill("Anna B.");
  await expect(form.username, "the suggestion was chosen").toHaveValue("anna.berg2");
  await form.create.click();
  await page.waitForURL(/\/$/);
  await ready(page);
  await expect(page.getByText("@anna.berg2")).toBeVisible();
});

test("a password can be shown: caret and focus stay, and submitting hides the password", async ({ alice, page, watch }) => {
  watch.allow(REFUSAL);
  const form = new SignInPage(page);
  await form.goto();
  await ready(page);
  const eye = page.getByRole("button", { name: "Show password" });
  await form.username.fill(alice.username);
  await form.password.fill("not the password");
  await form.password.evaluate((field: HTMLInputElement) => field.setSelectionRange(4, 7));
  await expect(eye).toHaveAttribute("aria-pressed", "false");
  await eye.click();
  await expect(eye).toHaveAttribute("aria-pressed", "true");
  await expect(form.password).toHaveAttribute("type", "text");
  await expect(form.password).toBeFocused();
  const caret = await form.password.evaluate((field: HTMLInputElement) => [field.selectionStart, field.selectionEnd]);
  expect(caret).toEqual([4, 7]);
  await form.signIn.click();
  await expect(page.getByRole("alert").filter({ hasText: /\w/ })).toBeVisible();
  await expect(form.password).toHaveAttribute("type", "password");
  await expect(eye).toHaveAttribute("aria-pressed", "false");
  await alice.page.goto("/settings");
  await ready(alice.page);
  await alice.page.getByLabel("New password").locator("..").getByRole("button", { name: "Show password" }).click();
  await expect(alice.page.getByLabel("New password")).toHaveAttribute("type", "text");
  await expect(alice.page.getByLabel("Current password")).toHaveAttribute("type", "password");
});

test("without scripts the server makes a username from the display name, and proposes available names for a taken username", async ({ createUser, browser, server }) => {
  await createUser("Anna Berg");
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
  const page = await context.newPage();
  const form = new SignUpPage(page);
  await form.goto();
  await form.submit("anna.berg", "Anna Berg", password);
  await expect(page.getByText("berg.anna")).toBeVisible();
  await form.submit("", "Anna Berg", password);
  await expect(page).toHaveURL(/\/$/);
  await expect(page.getByText("@berg.anna")).toBeVisible();
  await context.close();
});

test("an empty home page gives a single hint: to invite someone if there are no other users, otherwise to find a person", async ({ createUser }) => {
  const anna = await createUser("Anna Alone");
  await anna.home();
  await expect(anna.page.getByText("No conversations yet").filter({ visible: true })).toHaveCount(1);
  await expect(anna.page.getByRole("link", { name: "Invite someone" }).filter({ hasText: "Invite" })).toHaveCount(1);
  await expect(anna.page.getByText("Choose a conversation")).toHaveCount(0);
  await anna.page.setViewportSize({ width: 390, height: 844 });
  await expect(anna.page.locator(".no-conversations")).toBeVisible();

  const bob = await createUser("Bob Second");
  await bob.home();
  await expect(bob.page.getByRole("main")).toContainText("Find someone by name and say hello.");
  await expect(bob.page.locator(".no-conversations")).toHaveCount(0);
  await expect(bob.page.getByRole("main").getByRole("link")).toHaveCount(0);
  await new HomePage(bob.page).find("Anna Alone");
  await bob.home();
  await expect(bob.page.getByRole("main").getByRole("heading", { level: 1 })).toHaveText("Choose a conversation");
});

test("the header opens the profile page, and Back and Escape return to the same position in the conversation", async ({ alice, bob, conversation }) => {
  const bodies = Array.from({ length: 40 }, (_, index) => `Line ${index + 1}`);
  await bob.apiSend(conversation, ...bodies);
  await alice.apiRead(conversation, 40);
  const here = await alice.open(conversation, bob);
  const { page } = alice;
  await here.log.hover();
  await page.mouse.wheel(0, -900);
  await expect(here.message("Line 40")).not.toBeInViewport();
  await steadyTop(here.message("Line 40"));
  const position = () => page.evaluate(() => [...document.querySelectorAll("article")].find((row) => row.getBoundingClientRect().top > 100)?.textContent?.match(/Line \d+/)?.[0]);
  const before = await position();
  expect(before).toMatch(/Line/);
  const opened = page.getByRole("link", { name: new RegExp(`^${bob.name} `) }).filter({ has: page.getByRole("heading") });
  for (const back of ["arrow", "escape", "history"]) {
    await opened.click();
    await page.waitForURL(/\/about$/);
    const main = page.getByRole("main");
    await expect(main.getByRole("heading", { level: 1 })).toHaveText(bob.name);
    await expect(main).toContainText(`@${bob.username}`);
    await expect(main).toContainText("In touch since");
    await expect(main).toContainText("the person who runs this server");
    if (back === "arrow") await page.getByRole("link", { name: "Back to the conversation" }).click();
    else if (back === "escape") await page.keyboard.press("Escape");
    else await page.goBack();
    await page.waitForURL(/\/c\/[^/]+$/);
    await expect(here.log).toBeVisible();
    await expect.poll(position, { message: `the position after ${back}` }).toBe(before);
  }
  await opened.click();
  await alice.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const shown = await recordAppearances(page, "main [role=status]");
  await page.getByRole("button", { name: `@${bob.username}` }).click();
  await expect.poll(shown).toContain("Copied");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(bob.username);
  // Loaded by its address, the page has no conversation before it in the history.
  await page.reload();
  await ready(page);
  await expect(page).toHaveTitle(new RegExp(bob.name));
  await page.keyboard.press("Escape");
  await page.waitForURL(`**/c/${conversation}`);
});

test("the header reserves its second line for a peer who was never online, and does not move when the peer comes online", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const header = alice.page.locator(".conversation-header");
  await expect(header).toContainText(`@${bob.username}`);
  const height = () => here.heading.evaluate((heading) => heading.getBoundingClientRect().top);
  const before = await height();
  await bob.home();
  await expect(header).toContainText("online");
  expect(await height()).toBe(before);
});

test("the profile page works without scripts, and reveals nothing about other users' conversations", async ({ alice, bob, conversation, browser, server, createUser, watch }) => {
  watch.allow(REFUSAL);
  const state = await alice.context.storageState();
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState: state });
  const page = await context.newPage();
  await page.goto(`/c/${conversation}`);
  await page.getByRole("main").getByRole("heading", { name: bob.name }).click();
  await expect(page.getByRole("main")).toContainText(`@${bob.username}`);
  await page.getByRole("link", { name: "Back to the conversation" }).click();
  await expect(page).toHaveURL(`${server.url}/c/${conversation}`);
  await context.close();
  const carol = await createUser("Carol Curious");
  const answer = await carol.page.goto(`/c/${conversation}/about`);
  expect(answer?.status()).toBe(404);
  await expect(carol.page.getByRole("main")).not.toContainText(bob.name);
  await expect(carol.page.getByRole("heading", { level: 1 })).toBeVisible();
});

test.describe("an invitation", () => {
  test("is created by a single press, is shown again when the page is reopened, and opens the conversation when it is accepted", async ({ createUser, browser, server, watch }) => {
    const anna = await createUser("Anna Alone");
    await anna.home();
    const invite = anna.page.getByRole("link", { name: "Invite someone" }).first();
    await invite.click();
    const link = anna.page.getByRole("textbox", { name: "Invitation link" });
    await expect(link).toHaveValue(/\/invite\/[\w-]{43}$/);
    const address = await link.inputValue();
    await expect(anna.page.getByRole("img", { name: "QR code of the invitation link" })).toBeVisible();
    await anna.page.waitForURL("/invite");
    await anna.page.goBack();
    await invite.click();
    await expect(link).toHaveValue(address);

    const context = await browser.newContext({ baseURL: server.url });
    watch.over(context);
    const page = await context.newPage();
    await page.goto(address);
    await ready(page);
    // The page shows the name for a moment before it opens the conversation.
    const shown = await recordAppearances(anna.page, "main [role=status] p");
    await new SignUpPage(page).submit("tom.tanner", "Tom Tanner", password);
    await page.waitForURL(/\/c\//);
    await expect.poll(shown).toContainEqual(expect.stringContaining("Tom Tanner has joined"));
    await anna.page.waitForURL(/\/c\//);
    await new ConversationPage(anna.page, "Tom Tanner").write("Welcome!");
    await ready(page);
    await expect(new ConversationPage(page, "Anna Alone").message("Welcome!")).toBeVisible();
    // The next invitation needs another link.
    await invite.click();
    await expect(link).not.toHaveValue(address);
    await expect(link).toHaveValue(/\/invite\/[\w-]{43}$/);
    await context.close();
  });

  test("does not open the conversation by itself when the user has begun another action", async ({ alice, bob }) => {
    const address = await createInvitation(alice.page);
    await new HomePage(alice.page).search.fill("Som");
    await bob.page.goto(address);
    await ready(bob.page);
    await bob.page.getByRole("button", { name: `Chat with ${alice.name}` }).click();
    await bob.page.waitForURL(/\/c\//);
    const open = alice.page.getByRole("link", { name: "Open the conversation" });
    await expect(open).toBeVisible();
    // A timer of the page that is longer than the timer by which the page opens the conversation.
    await alice.page.evaluate(() => new Promise((done) => setTimeout(done, 2_500)));
    await expect(alice.page).toHaveURL(/\/invite$/);
    await open.click();
    await expect(new ConversationPage(alice.page, bob.name).heading).toBeVisible();
  });
});

test("unused links are listed and can be withdrawn", async ({ alice, bob, watch }) => {
  watch.allow(REFUSAL);
  const { page } = alice;
  await page.goto("/invite");
  await ready(page);
  const link = page.getByRole("textbox", { name: "Invitation link" });
  await expect(link).toHaveValue(/\/invite\/[\w-]{43}$/);
  const first = await link.inputValue();
  await page.getByRole("button", { name: "Create another link" }).click();
  await expect(link).not.toHaveValue(first);
  const rows = page.getByRole("region", { name: "Unused links" }).getByRole("listitem");
  await expect(rows).toHaveCount(2);
  await rows.filter({ hasText: "shown above" }).getByRole("button", { name: "Withdraw" }).click();
  await expect(rows).toHaveCount(1);
  await expect(link).toHaveCount(0);
  await rows.getByRole("button", { name: "Withdraw" }).click();
  await expect(rows).toHaveCount(0);
  await bob.page.goto(first);
  await expect(bob.page.getByRole("heading", { name: "This invitation is no longer valid" })).toBeVisible();
});
