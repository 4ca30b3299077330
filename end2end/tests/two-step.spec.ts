import { readFile } from "node:fs/promises";
import type { Browser, BrowserContextOptions, Locator, Page } from "@playwright/test";
import { appCode } from "../support/one-time-code";
import { fieldMessage, ready, SignInPage } from "../support/pages";
import { expect, test } from "../support/test";
import type { User } from "../support/user";
import { REFUSAL } from "../support/watch";

function section(page: Page): Locator {
  return page.getByRole("region", { name: "Two-step sign-in" });
}

function codeField(page: Page): Locator {
  return page.getByLabel("Code", { exact: true });
}

/** The key that the page shows in groups. */
async function shownKey(page: Page): Promise<string> {
  return (await page.locator(".two-step-key").innerText()).replaceAll(/\s/g, "");
}

async function openSettings(page: Page): Promise<Locator> {
  await page.goto("/settings");
  await ready(page);
  return section(page);
}

/** Turns two-step sign-in on; returns the key and the recovery codes. */
async function turnOn(page: Page): Promise<{ key: string; recovery: string[] }> {
  const part = await openSettings(page);
  await part.getByRole("button", { name: "Set up two-step sign-in" }).click();
  const key = await shownKey(page);
  await codeField(page).fill(appCode(key));
  await part.getByRole("button", { name: "Turn on two-step sign-in" }).click();
  await expect(part.getByRole("listitem")).toHaveCount(10);
  return { key, recovery: await part.getByRole("listitem").allInnerTexts() };
}

/** A browser that is not signed in, on the sign-in page. */
async function elsewhere(browser: Browser, baseURL: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL, ...options });
  const page = await context.newPage();
  await page.goto("/sign-in");
  if (options.javaScriptEnabled !== false) await ready(page);
  return page;
}

async function expectRefused(field: Locator): Promise<void> {
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await expect.poll(() => fieldMessage(field)).toMatch(/code is wrong/);
}

test("a user sets two-step sign-in up, and the recovery codes are shown once", async ({ alice, watch }) => {
  watch.allow(REFUSAL);
  const { page } = alice;
  const part = await openSettings(page);
  await expect(part.getByText("Two-step sign-in is off.")).toBeVisible();
  await part.getByRole("button", { name: "Set up two-step sign-in" }).click();
  await expect(part.getByText("Connect your authenticator app")).toBeFocused();
  await expect(part.getByRole("img", { name: "QR code for your authenticator app" })).toBeVisible();
  const key = await shownKey(page);
  expect(key).toMatch(/^[A-Z2-7]{32}$/);
  const code = codeField(page);
  await expect(code).toHaveAttribute("autocomplete", "one-time-code");
  await expect(code).toHaveAttribute("inputmode", "numeric");
  await code.fill("no");
  const confirm = part.getByRole("button", { name: "Turn on two-step sign-in" });
  await confirm.click();
  await expectRefused(code);
  await expect(code).toHaveValue("");
  await expect(code).toBeFocused();
  await code.fill(appCode(key));
  await confirm.click();

  await expect(part.getByText("Save your recovery codes")).toBeFocused();
  await expect(part.getByRole("listitem")).toHaveCount(10);
  const recovery = await part.getByRole("listitem").allInnerTexts();
  const downloading = page.waitForEvent("download");
  await part.getByRole("link", { name: "Save as a file" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("duet-recovery-codes.txt");
  const file = await readFile(await download.path(), "utf8");
  expect(file.trim().split("\n").slice(2)).toEqual(recovery);
  expect(file).toContain(alice.username);
  await page.emulateMedia({ media: "print" });
  await expect(part.getByRole("listitem").first()).toBeVisible();
  await expect(page.getByRole("region", { name: "Devices" })).toBeHidden();
  await page.emulateMedia({ media: null });
  await part.getByRole("button", { name: "I have saved them" }).click();
  await expect(part.getByText("Two-step sign-in is on.")).toBeFocused();
  await expect(part.getByText("10 of 10 recovery codes left")).toBeVisible();
  await page.reload();
  await ready(page);
  await expect(part.getByText("10 of 10 recovery codes left")).toBeVisible();
  await expect(page.getByText(recovery[0] ?? "")).toHaveCount(0);
});

test("sign-in asks for a code after the password, and takes each code once", async ({ alice, browser, server, watch }) => {
  watch.allow(REFUSAL);
  const { key, recovery } = await turnOn(alice.page);
  const page = await elsewhere(browser, server.url);
  const form = new SignInPage(page);
  const code = codeField(page);
  await form.submit(alice.username, "not the password");
  await expect(page.getByRole("alert").filter({ hasText: /wrong/i })).toBeVisible();
  await expect(code).toBeHidden();
  await form.submit(alice.username, alice.password);
  await expect(code).toBeFocused();
  await expect(form.username).toHaveValue(alice.username);
  await expect(form.password).toHaveValue(alice.password);
  await code.fill("no");
  await code.press("Enter");
  await expectRefused(code);
  await expect(code).toBeFocused();
  const next = appCode(key, 1);
  await code.fill(`${next.slice(0, 3)} ${next.slice(3)}`);
  await code.press("Enter");
  await page.waitForURL("/");
  await page.context().close();

  for (const [typed, accepted] of [[next, false], [recovery[0]?.toUpperCase() ?? "", true], [recovery[0] ?? "", false]] as const) {
    const other = await elsewhere(browser, server.url);
    await new SignInPage(other).submit(alice.username, alice.password);
    await codeField(other).fill(typed);
    await codeField(other).press("Enter");
    if (accepted) await other.waitForURL("/");
    else await expectRefused(codeField(other));
    await other.context().close();
  }
  const part = await openSettings(alice.page);
  await expect(part.getByText("9 of 10 recovery codes left")).toBeVisible();
});

test("new recovery codes and turning off need the password", async ({ alice, browser, server, watch }) => {
  watch.allow(REFUSAL);
  const { recovery } = await turnOn(alice.page);
  const part = await openSettings(alice.page);
  await part.getByText("New recovery codes…").click();
  const renewPassword = alice.page.locator("#renew-password");
  await renewPassword.fill("not my password");
  await part.getByRole("button", { name: "Create new codes" }).click();
  await expect(renewPassword).toHaveAttribute("aria-invalid", "true");
  await renewPassword.fill(alice.password);
  await part.getByRole("button", { name: "Create new codes" }).click();
  await expect(part.getByRole("listitem")).toHaveCount(10);
  expect(await part.getByRole("listitem").allInnerTexts()).not.toContain(recovery[0]);
  await part.getByRole("button", { name: "I have saved them" }).click();
  await part.getByText("Turn off…").click();
  await alice.page.locator("#turn-off-password").fill(alice.password);
  await part.getByRole("button", { name: "Turn off" }).click();
  await expect(part.getByText("Two-step sign-in is off.")).toBeFocused();
  const page = await elsewhere(browser, server.url);
  await new SignInPage(page).submit(alice.username, alice.password);
  await page.waitForURL("/");
  await page.context().close();
});

test("two-step sign-in works without scripts", async ({ alice, browser, server }) => {
  const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState: await alice.context.storageState() });
  const page = await context.newPage();
  await page.goto("/settings");
  await page.getByRole("button", { name: "Set up two-step sign-in" }).click();
  const key = await shownKey(page);
  await expect(page.getByRole("img", { name: "QR code for your authenticator app" })).toBeVisible();
  await codeField(page).fill("no");
  await page.getByRole("button", { name: "Turn on two-step sign-in" }).click();
  await expectRefused(codeField(page));
  expect(await shownKey(page)).toBe(key);
  await codeField(page).fill(appCode(key));
  await page.getByRole("button", { name: "Turn on two-step sign-in" }).click();
  await expect(page.getByRole("listitem")).toHaveCount(10);
  await page.getByRole("link", { name: "I have saved them" }).click();
  await expect(page.getByText("10 of 10 recovery codes left")).toBeVisible();

  const other = await elsewhere(browser, server.url, { javaScriptEnabled: false });
  const form = new SignInPage(other);
  await form.submit(alice.username, alice.password);
  await expect(other.getByText("Enter your password again, and the code.")).toBeVisible();
  await expect(form.username).toHaveValue(alice.username);
  await expect(form.password).toHaveValue("");
  await expect(codeField(other)).not.toHaveAttribute("inputmode");
  await codeField(other).fill(appCode(key, 1));
  await form.submit(alice.username, alice.password);
  await other.waitForURL("/");
  await other.context().close();

  await page.getByText("Turn off…").click();
  await page.locator("#turn-off-password").fill(alice.password);
  await page.getByRole("button", { name: "Turn off" }).click();
  await expect(page.getByText("Two-step sign-in is off.")).toBeVisible();
  await context.close();
});

test("two-step sign-in can be set up and used with the keyboard alone", async ({ alice, browser, server }) => {
  const { page } = alice;
  const part = await openSettings(page);
  await tabTo(page, part.getByRole("button", { name: "Set up two-step sign-in" }));
  await page.keyboard.press("Enter");
  await expect(part.getByText("Connect your authenticator app")).toBeFocused();
  const key = await shownKey(page);
  await tabTo(page, codeField(page));
  await page.keyboard.type(appCode(key));
  await page.keyboard.press("Enter");
  await expect(part.getByText("Save your recovery codes")).toBeFocused();
  await tabTo(page, part.getByRole("button", { name: "I have saved them" }));
  await page.keyboard.press("Enter");
  await expect(part.getByText("Two-step sign-in is on.")).toBeFocused();

  const other = await elsewhere(browser, server.url);
  const form = new SignInPage(other);
  await tabTo(other, form.username);
  await other.keyboard.type(alice.username);
  await tabTo(other, form.password);
  await other.keyboard.type(alice.password);
  await other.keyboard.press("Enter");
  await expect(codeField(other)).toBeFocused();
  await other.keyboard.type(appCode(key, 1));
  await other.keyboard.press("Enter");
  await other.waitForURL("/");
  await other.context().close();
});

test("two-step sign-in works in Arabic, with Arabic digits", async ({ createUser, browser, server }) => {
  const noor: User = await createUser("Noor Nasser", { locale: "ar" });
  const { page } = noor;
  await page.goto("/settings");
  await ready(page);
  await page.getByRole("button", { name: "إعداد تسجيل الدخول بخطوتين" }).click();
  const key = await shownKey(page);
  const code = page.getByLabel("الرمز", { exact: true });
  await code.fill(inArabic(appCode(key)));
  await page.getByRole("button", { name: "تفعيل تسجيل الدخول بخطوتين" }).click();
  const codes = page.locator(".recovery-codes");
  await expect(codes.getByRole("listitem")).toHaveCount(10);
  await expect(codes).toHaveCSS("direction", "ltr");
  await page.getByRole("button", { name: "لقد حفظتها" }).click();
  await expect(page.getByText("بقيت 10 من رموز الاسترداد العشرة")).toBeVisible();

  const other = await elsewhere(browser, server.url, { locale: "ar" });
  await other.getByLabel("اسم المستخدم").fill(noor.username);
  await other.locator("#password").fill(noor.password);
  await other.locator("#password").press("Enter");
  const field = other.getByLabel("الرمز", { exact: true });
  await expect(field).toBeFocused();
  await field.fill(inArabic(appCode(key, 1)));
  await field.press("Enter");
  await other.waitForURL("/");
  await other.context().close();
});

function inArabic(digits: string): string {
  return digits.replaceAll(/\d/g, (digit) => String.fromCharCode(0x660 + Number(digit)));
}

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`60 presses of Tab did not reach ${target}`);
}
