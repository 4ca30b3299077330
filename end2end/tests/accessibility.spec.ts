import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { appCode } from "../support/one-time-code";
import { ConversationPage, HomePage, ready, SignInPage, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE, REFUSAL } from "../support/watch";
import { Network } from "../support/network";

const wide = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

for (const colorScheme of ["light", "dark"] as const) {
  for (const [size, viewport] of Object.entries({ wide, phone })) {
    test.describe(`axe finds no violation, ${colorScheme}, ${size}`, () => {
      test.use({ colorScheme, viewport });

      test("on the requests, in a request, on the page about a peer, and after a block", async ({ alice, bob }) => {
        const conversation = await bob.apiOpen(alice);
        await bob.apiSend(conversation, "Good morning");
        for (const path of ["/requests", `/c/${conversation}`, `/c/${conversation}/about`]) {
          await alice.page.goto(path);
          await ready(alice.page);
          await expectNoViolations(alice.page);
        }
        await alice.page.getByText("Choose 1 to 20 messages").click();
        await expectNoViolations(alice.page);
        await alice.page.getByRole("button", { name: "Block" }).click();
        await expect(alice.page.getByRole("button", { name: "Unblock" })).toBeVisible();
        for (const path of [`/c/${conversation}`, "/settings"]) {
          await alice.page.goto(path);
          await ready(alice.page);
          await expectNoViolations(alice.page);
        }
      });

      test("on the settings, and on the pages of the inviter and of the invited", async ({ alice, browser, server, watch }) => {
        watch.allow(REFUSAL);
        await alice.page.goto("/settings");
        await ready(alice.page);
        await alice.page.getByText("Delete account…").click();
        await alice.page.getByLabel("Your name").fill("x".repeat(65));
        await alice.page.getByRole("button", { name: "Save" }).click();
        await expect(alice.page.getByLabel("Your name")).toHaveAttribute("aria-invalid", "true");
        await expectNoViolations(alice.page);
        await alice.page.goto("/invite");
        await ready(alice.page);
        await expectNoViolations(alice.page);
        const link = alice.page.getByRole("textbox", { name: "Invitation link" });
        await expect(link).toBeVisible();
        await expectNoViolations(alice.page);
        const visitor = await browser.newContext({ baseURL: server.url, colorScheme, viewport });
        const page = await visitor.newPage();
        await expect(link).toHaveValue(/\/invite\//);
        for (const address of [await link.inputValue(), "/invite/nothing"]) {
          await page.goto(address);
          await ready(page);
          await expectNoViolations(page);
        }
        await visitor.close();
      });

      test("while a code signs in another device, and on the pages of its link", async ({ alice, browser, server, watch }) => {
        watch.allow(REFUSAL);
        await alice.page.goto("/settings");
        await ready(alice.page);
        const part = alice.page.getByRole("region", { name: "Devices" });
        await part.getByText("Sign in another device…").click();
        const password = part.getByLabel("Password", { exact: true });
        await password.fill("not my password");
        const show = part.getByRole("button", { name: "Show the code" });
        await show.click();
        await expect(password).toHaveAttribute("aria-invalid", "true");
        await expectNoViolations(alice.page);
        await password.fill(alice.password);
        await show.click();
        const link = await part.getByRole("textbox", { name: "Link that signs in another device" }).inputValue();
        await expectNoViolations(alice.page);
        const visitor = await browser.newContext({ baseURL: server.url, colorScheme, viewport });
        const page = await visitor.newPage();
        await page.goto(link);
        await ready(page);
        await expectNoViolations(page);
        await page.getByRole("button", { name: "Sign in as Alice Arden" }).click();
        await page.waitForURL("/");
        await expect(part.getByText("Signed in:")).toBeVisible();
        await expectNoViolations(alice.page);
        for (const context of [alice.context, await browser.newContext({ colorScheme, viewport })]) {
          const other = await context.newPage();
          await other.goto(link);
          await ready(other);
          await expectNoViolations(other);
        }
        await visitor.close();
      });

      test("while two-step sign-in is set up, and at the sign-in with a code", async ({ alice, browser, server, watch }) => {
        watch.allow(REFUSAL);
        await alice.page.goto("/settings");
        await ready(alice.page);
        const part = alice.page.getByRole("region", { name: "Two-step sign-in" });
        await part.getByRole("button", { name: "Set up two-step sign-in" }).click();
        const key = (await part.locator(".two-step-key").innerText()).replaceAll(/\s/g, "");
        const code = alice.page.getByLabel("Code", { exact: true });
        const confirm = part.getByRole("button", { name: "Turn on two-step sign-in" });
        await code.fill("no");
        await confirm.click();
        await expect(code).toHaveAttribute("aria-invalid", "true");
        await expectNoViolations(alice.page);
        await code.fill(appCode(key));
        await confirm.click();
        await expect(part.getByRole("listitem")).toHaveCount(10);
        await expectNoViolations(alice.page);
        await part.getByRole("button", { name: "I have saved them" }).click();
        await part.getByText("New recovery codes…").click();
        await part.getByText("Turn off…").click();
        await expectNoViolations(alice.page);
        const visitor = await browser.newContext({ baseURL: server.url, colorScheme, viewport });
        const page = await visitor.newPage();
        const signIn = new SignInPage(page);
        await signIn.goto();
        await ready(page);
        await signIn.submit(alice.username, alice.password);
        await expect(page.getByLabel("Code", { exact: true })).toBeVisible();
        await expectNoViolations(page);
        await visitor.close();
      });

      test("on sign-up and sign-in, empty and with errors", async ({ page, watch }) => {
        watch.allow(REFUSAL);
        const signUp = new SignUpPage(page);
        await signUp.goto();
        await ready(page);
        await expectNoViolations(page);
        await signUp.submit("al", "Al", "short");
        await expect(signUp.username).toHaveAttribute("aria-invalid", "true");
        await expectNoViolations(page);
        const signIn = new SignInPage(page);
        await signIn.goto();
        await ready(page);
        await expectNoViolations(page);
        await signIn.submit("nobody", "not the password");
        await expect(page.getByRole("alert").filter({ hasText: /\w/ })).toBeVisible();
        await expectNoViolations(page);
      });

      test("on the list, empty and full, and the search", async ({ alice, bob }) => {
        const home = await alice.home();
        await expectNoViolations(alice.page);
        await home.search.fill("bo");
        await expect(home.result(bob.name)).toBeVisible();
        await expectNoViolations(alice.page);
        await home.search.fill("nobody of this name");
        await expect(home.result(bob.name)).toBeHidden();
        await expectNoViolations(alice.page);
        await home.search.fill("");
        await bob.apiSend(await bob.apiConversation(alice), "Good morning");
        await expect(home.entry(bob.name)).toContainText("Good morning");
        await expectNoViolations(alice.page);
      });

      test("in a conversation, empty and full, unread, unsent and refused", async ({ alice, bob, conversation, watch }) => {
        watch.allow(OUTAGE);
        const network = await Network.of(alice.context);
        const here = await alice.open(conversation, bob);
        await expect(here.heading).toBeVisible();
        await expectNoViolations(alice.page);
        await here.heading.click();
        await expect(alice.page.getByText("In touch since")).toBeVisible();
        await expectNoViolations(alice.page);
        await alice.page.keyboard.press("Escape");
        await here.write("Are you coming? See https://example.org/lake");
        await here.expectStored("Are you coming?");
        await alice.home();
        await bob.apiSend(conversation, "In a minute", "🎉");
        await alice.open(conversation, bob);
        await expect(here.divider(2)).toBeVisible();
        await expectNoViolations(alice.page);
        await alice.page.keyboard.press("ArrowUp");
        await alice.page.keyboard.press("Enter");
        await expect(alice.page.getByRole("menu")).toBeVisible();
        await expectNoViolations(alice.page);
        await alice.page.getByRole("menuitem", { name: "Details" }).click();
        await expect(alice.page.getByRole("dialog", { name: "Details" })).toBeVisible();
        await expectNoViolations(alice.page);
        await alice.page.keyboard.press("Escape");
        await alice.page.keyboard.press("ControlOrMeta+/");
        await expect(alice.page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
        await expectNoViolations(alice.page);
        await alice.page.keyboard.press("Escape");
        await expect(alice.page.getByRole("dialog")).toBeHidden();
        network.refuse("body_control_character");
        await here.write("Refused");
        await here.expectState("Refused", "not sent");
        network.refuse(undefined);
        await network.cut();
        await here.write("Waiting");
        await here.expectState("Waiting", "sending");
        await expectNoViolations(alice.page);
      });

      test("on a page that is not found", async ({ alice, watch }) => {
        watch.allow(/status of 404/);
        for (const path of ["/nothing/here", "/c/01890000-0000-7000-8000-000000000000"]) {
          await alice.page.goto(path);
          await ready(alice.page);
          await expectNoViolations(alice.page);
        }
      });
    });
  }
}

test("every action is possible with the keyboard alone", async ({ page, context, bob }) => {
  test.slow();
  await context.clearCookies();
  const signUp = new SignUpPage(page);
  await signUp.goto();
  await ready(page);
  await tabTo(page, signUp.displayName);
  await page.keyboard.type("Kim Keys");
  await page.keyboard.press("Tab");
  await expect(signUp.username).toBeFocused();
  await page.keyboard.type("kim");
  await tabTo(page, signUp.password);
  await page.keyboard.type("a walk in the rain");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/$/);
  await ready(page);

  const home = new HomePage(page);
  await tabTo(page, home.search);
  await page.keyboard.type("Bob");
  await expect(home.result(bob.name)).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/c\//);
  const here = new ConversationPage(page, bob.name);
  await expect(here.heading).toBeVisible();
  await tabTo(page, here.box);
  await page.keyboard.type("Without a click");
  await page.keyboard.press("Enter");
  await here.expectStored("Without a click");
});

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`60 presses of Tab did not reach ${target}`);
}

async function expectNoViolations(page: Page): Promise<void> {
  // The colours of a transition that still runs are not those of the page.
  const running = () => document.getAnimations().filter(({ playState, effect }) => playState === "running" && effect?.getTiming().iterations !== Infinity).length;
  await expect.poll(() => page.evaluate(running), { message: "all transitions have ended" }).toBe(0);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  const found = violations.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`));
  expect(found).toEqual([]);
}
