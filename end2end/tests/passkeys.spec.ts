import type { Browser, Locator, Page } from "@playwright/test";
import { Device, local } from "../support/authenticator";
import { ready, SignInPage, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import type { User } from "../support/user";
import { REFUSAL } from "../support/watch";

function section(page: Page): Locator {
  return page.getByRole("region", { name: "Passkeys" });
}

function passkeyButton(page: Page): Locator {
  return page.getByRole("button", { name: "Sign in with a passkey" });
}

/** Signs in under `localhost` with the password, and opens the settings. */
async function openSettings(user: User, url: string): Promise<Page> {
  const page = await user.context.newPage();
  await page.goto(`${local(url)}/sign-in?next=/settings`);
  await ready(page);
  await page.getByLabel("Username").fill(user.username);
  await page.getByLabel("Password", { exact: true }).fill(user.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${local(url)}/settings`);
  await ready(page);
  return page;
}

async function add(page: Page, password: string | undefined, name: string): Promise<void> {
  const part = section(page);
  const before = await part.getByRole("listitem").count();
  if (!(await part.getByLabel("Name of the passkey").last().isVisible())) await part.getByText("Add a passkey…").click();
  if (password) await page.locator("#add-passkey-password").fill(password);
  await page.locator("#passkey-name").fill(name);
  await part.getByRole("button", { name: "Add a passkey" }).click();
  await expect(part.getByRole("listitem")).toHaveCount(before + 1);
}

/**
 * A browser that is not signed in, on the sign-in page, with a device. Passkeys are not offered in the field there, because the
 * virtual authenticator would choose one at once.
 */
async function elsewhere(browser: Browser, url: string): Promise<{ page: Page; device: Device }> {
  const context = await browser.newContext({ baseURL: local(url) });
  const page = await context.newPage();
  await page.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  const device = await Device.of(page);
  await page.goto("/sign-in");
  await ready(page);
  return { page, device };
}

test("a user adds passkeys, signs in with one in another browser, renames and removes", async ({ alice, browser, server, watch }) => {
  watch.allow(REFUSAL);
  const page = await openSettings(alice, server.url);
  const device = await Device.of(page);
  const part = section(page);
  await expect(part.getByText("You have no passkeys.")).toBeVisible();
  await part.getByText("Add a passkey…").click();
  const password = page.locator("#add-passkey-password");
  await password.fill("not my password");
  await part.getByRole("button", { name: "Add a passkey" }).click();
  await expect(password).toHaveAttribute("aria-invalid", "true");
  expect(await device.count(), "the proof comes first").toBe(0);
  await add(page, alice.password, "Phone");
  expect(await device.count()).toBe(1);
  await expect(part.getByText(/Added .*never used/)).toBeVisible();
  // The device refuses a second passkey of the same account.
  await password.fill(alice.password);
  await part.getByRole("button", { name: "Add a passkey" }).click();
  await expect(part.getByText("This device already has a passkey for your account.")).toBeVisible();

  const other = await elsewhere(browser, server.url);
  await device.moveTo(other.device);
  await passkeyButton(other.page).click();
  await other.page.waitForURL(local(server.url) + "/");
  await expect(page.getByText(/just signed in to your account/), "the notice on the open page").toBeVisible();
  await other.page.context().close();

  await page.reload();
  await ready(page);
  await expect(part.getByText(/last used/)).toBeVisible();
  await part.getByText("Rename…").click();
  const name = part.getByLabel("Name of the passkey").first();
  await expect(name).toHaveValue("Phone");
  await name.fill("Old phone");
  await part.getByRole("button", { name: "Save" }).click();
  await expect(part.getByText("Old phone", { exact: true })).toBeVisible();
  await part.getByText("Remove…").click();
  const removal = part.getByRole("listitem").getByRole("textbox", { name: "Password" });
  await removal.fill(alice.password);
  await part.getByRole("button", { name: "Remove" }).click();
  await expect(part.getByText("You have no passkeys.")).toBeVisible();
});

test("a passkey needs no code of two-step sign-in, and a removed, cancelled or unverified one does not sign in", async ({
  alice,
  browser,
  server,
  watch,
}) => {
  watch.allow(REFUSAL);
  const page = await openSettings(alice, server.url);
  const device = await Device.of(page);
  await add(page, alice.password, "");
  const other = await elsewhere(browser, server.url);
  await passkeyButton(other.page).click();
  await expect(other.page.getByText("No passkey was used. Try again."), "the device has none").toBeVisible();
  await device.moveTo(other.device);
  await other.device.verifies(false);
  await passkeyButton(other.page).click();
  await expect(other.page.getByText("No passkey was used. Try again.")).toBeVisible();
  await other.device.verifies(true);

  const part = section(page);
  await part.getByText("Remove…").click();
  await part.getByRole("listitem").getByRole("textbox", { name: "Password" }).fill(alice.password);
  await part.getByRole("button", { name: "Remove" }).click();
  await expect(part.getByText("You have no passkeys.")).toBeVisible();
  await passkeyButton(other.page).click();
  await expect(other.page.getByText("This passkey didn’t work. Try again.")).toBeVisible();
  // The password still works after a refused passkey.
  const form = new SignInPage(other.page);
  await form.username.fill(alice.username);
  await form.password.fill(alice.password);
  await other.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await other.page.waitForURL(local(server.url) + "/");
  await other.page.context().close();
});

test("the field for the username offers passkeys", async ({ alice, browser, server }) => {
  const page = await openSettings(alice, server.url);
  const device = await Device.of(page);
  await add(page, alice.password, "");
  const context = await browser.newContext({ baseURL: local(server.url) });
  const other = await context.newPage();
  const itsDevice = await Device.of(other);
  await device.moveTo(itsDevice);
  // The virtual authenticator chooses its passkey at once when a page offers the field.
  await other.goto("/sign-in");
  await expect(other.getByLabel("Username")).toHaveAttribute("autocomplete", "username webauthn");
  await other.waitForURL(local(server.url) + "/");
  await context.close();
});

test.describe("where people may sign up with a passkey", () => {
  test.use({ settings: { DUET_PASSKEY_SIGN_UP: "true" } });

  test("an account without a password is used, gets a password and is deleted by passkey", async ({ browser, server, watch }) => {
    watch.allow(REFUSAL);
    const context = await browser.newContext({ baseURL: local(server.url) });
    watch.over(context);
    const page = await context.newPage();
    const device = await Device.of(page);
    const form = new SignUpPage(page);
    await form.goto();
    await ready(page);
    await form.displayName.fill("Carol Cole");
    await page.getByRole("button", { name: "Create account with a passkey" }).click();
    await page.waitForURL(local(server.url) + "/");
    expect(await device.count()).toBe(1);

    await page.goto("/settings");
    await ready(page);
    const part = section(page);
    await expect(page.getByText("Your account has no password.")).toBeVisible();
    await part.getByText("Remove…").click();
    await part.getByRole("button", { name: "Remove" }).click();
    await expect(part.getByText(/This is your only way to sign in/)).toBeVisible();
    await page.getByLabel("New password").fill("carol likes long walks");
    await page.getByRole("button", { name: "Change password" }).click();
    await expect(page.getByLabel("Current password")).toBeVisible();
    await ready(page);
    await part.getByText("Remove…").click();
    await part.getByRole("listitem").getByRole("textbox", { name: "Password" }).fill("carol likes long walks");
    await part.getByRole("button", { name: "Remove" }).click();
    await expect(part.getByText("You have no passkeys.")).toBeVisible();
    await context.close();
  });

  test("an account without a password is deleted by passkey", async ({ browser, server, watch }) => {
    // The sign-in page after the deletion offers passkeys, and the virtual authenticator chooses that of the deleted account.
    watch.allow(REFUSAL);
    const context = await browser.newContext({ baseURL: local(server.url) });
    watch.over(context);
    const page = await context.newPage();
    await Device.of(page);
    await page.goto("/sign-up");
    await ready(page);
    await new SignUpPage(page).displayName.fill("Dora Dean");
    await page.getByRole("button", { name: "Create account with a passkey" }).click();
    await page.waitForURL(local(server.url) + "/");
    await page.goto("/settings");
    await ready(page);
    await page.getByText("Delete account…").click();
    await page.getByRole("button", { name: "Delete my account permanently" }).click();
    await page.waitForURL(/\/sign-in/);
    await context.close();
  });
});

test("pages that passkeys cannot work on offer none and say why", async ({ alice }) => {
  const { page } = alice;
  await page.goto("/settings");
  await ready(page);
  await expect(section(page).getByText("Passkeys work on this machine if the address begins with “localhost”.")).toBeVisible();
  await expect(section(page).getByText("Add a passkey…")).toHaveCount(0);
  const other = await page.context().browser()?.newPage({ baseURL: new URL(page.url()).origin });
  if (!other) throw new Error("no browser");
  await other.goto("/sign-in");
  await ready(other);
  await expect(passkeyButton(other)).toHaveCount(0);
  await other.close();
});

test("without scripts a passkey can be renamed and removed, and none is offered", async ({ alice, browser, server }) => {
  const page = await openSettings(alice, server.url);
  await Device.of(page);
  await add(page, alice.password, "Phone");
  const storageState = await alice.context.storageState();
  const context = await browser.newContext({ baseURL: local(server.url), javaScriptEnabled: false, storageState });
  const plain = await context.newPage();
  await plain.goto("/settings");
  const part = section(plain);
  await expect(part.getByText("Add a passkey…")).toBeHidden();
  await part.getByText("Rename…").click();
  await part.getByLabel("Name of the passkey").first().fill("Key");
  await part.getByRole("button", { name: "Save" }).click();
  await expect(part.getByText("Key", { exact: true })).toBeVisible();
  await part.getByText("Remove…").click();
  await part.getByRole("textbox", { name: "Password" }).first().fill(alice.password);
  await part.getByRole("button", { name: "Remove" }).click();
  await expect(part.getByText("You have no passkeys.")).toBeVisible();
  await context.close();
});

test("the page of a conversation does not fetch the script of passkeys", async ({ alice, conversation, bob, server }) => {
  const asked: string[] = [];
  const page = await openSettings(alice, server.url);
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${local(server.url)}/c/${conversation}`);
  await ready(page);
  await expect(page.getByRole("heading", { name: bob.name })).toBeVisible();
  expect(asked).not.toContain("/passkeys.js");
});
