import { fieldMessage, HomePage, ready, SignInPage, SignUpPage } from "../support/pages";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

test.describe("sign-up", () => {
  const invalid = [
    { problem: "a username that is too short", username: "al", password: "a walk in the rain", field: "username", message: /3/ },
    { problem: "a username with a space", username: "al ice", password: "a walk in the rain", field: "username", message: /letters/ },
    { problem: "a short password", username: "alice", password: "a rainy walk", field: "password", message: /15/ },
    { problem: "a common password", username: "alice", password: "123456789012345", field: "password", message: /guess|common/ },
  ] as const;
  for (const { problem, username, password, field, message } of invalid) {
    test(`shows the error for ${problem} at its field, and keeps the other fields`, async ({ page, watch }) => {
      watch.allow(REFUSAL);
      const form = new SignUpPage(page);
      await form.goto();
      await ready(page);
      await form.submit(username, "Alice Arden", password);
      await expect(form[field]).toHaveAttribute("aria-invalid", "true");
      await expect.poll(() => fieldMessage(form[field])).toMatch(message);
      await expect(form.username).toHaveValue(username);
      await expect(form.displayName).toHaveValue("Alice Arden");
    });
  }

  test("shows the error for a taken username at its field, also in capital letters", async ({ alice, page, watch }) => {
    watch.allow(REFUSAL);
    const form = new SignUpPage(page);
    await form.goto();
    await ready(page);
    await form.submit(alice.username.toUpperCase(), "Alice Second", "a walk in the rain");
    await expect(form.username).toHaveAttribute("aria-invalid", "true");
    await expect.poll(() => fieldMessage(form.username)).toMatch(/taken/);
    await form.submit("alice.the.second", "Alice Second", "a walk in the rain");
    await page.waitForURL(/\/$/);
  });

  test.describe("when registration is closed", () => {
    test.use({ settings: { DUET_REGISTRATION: "closed" } });

    test("explains that registration is closed", async ({ page }) => {
      const form = new SignUpPage(page);
      await form.goto();
      await ready(page);
      await expect(page.getByRole("heading", { name: /closed/ })).toBeVisible();
      await expect(form.create).toBeHidden();
    });
  });
});

test.describe("sign-in", () => {
  test("an unknown username and a wrong password give the same error", async ({ alice, page, watch }) => {
    watch.allow(REFUSAL);
    const form = new SignInPage(page);
    const errors = [];
    for (const username of [alice.username, "nobody.at.all"]) {
      await form.goto();
      await ready(page);
      await form.submit(username, "not the password");
      const alert = page.getByRole("alert").filter({ hasText: /\w/ });
      await expect(alert).toBeVisible();
      errors.push(await alert.innerText());
    }
    expect(errors[0]).toBe(errors[1]);
  });

  test("returns to the requested page", async ({ alice, bob, conversation, page }) => {
    await page.goto(`/c/${conversation}?m=1`);
    await page.waitForURL(/\/sign-in/);
    await ready(page);
    await new SignInPage(page).submit(alice.username, alice.password);
    await page.waitForURL(`**/c/${conversation}?m=1`);
    await expect(page.getByRole("heading", { name: bob.name })).toBeVisible();
  });

  test("does not redirect to another site", async ({ alice, page, server }) => {
    await page.goto("/sign-in?next=//example.org/");
    await ready(page);
    await new SignInPage(page).submit(alice.username, alice.password);
    await page.waitForURL(`${server.url}/`);
  });

  test.describe("with too many attempts", () => {
    test.use({ settings: { DUET_SIGN_INS_PER_MINUTE: undefined } });

    test("shows when to try again", async ({ alice, page, watch }) => {
      watch.allow(REFUSAL);
      const form = new SignInPage(page);
      await form.goto();
      await ready(page);
      const later = page.getByText(/try again in .*(second|minute)/i);
      await expect(async () => {
        await form.submit(alice.username, "not the password");
        await expect(later).toBeVisible({ timeout: 500 });
      }).toPass({ timeout: 120_000 });
    });
  });
});

test("after a sign-out, pages and the Back button lead to the sign-in page", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "For us two only");
  await alice.open(conversation, bob);
  const home = new HomePage(alice.page);
  await home.signOut();
  await alice.page.goto(`/c/${conversation}`);
  await alice.page.waitForURL(/\/sign-in/);
  await alice.page.goBack();
  await expect(alice.page.getByText("For us two only")).toHaveCount(0);
});

test("a forged cookie is not accepted as a session", async ({ alice, page, context }) => {
  const [cookie] = await alice.context.cookies();
  if (!cookie) throw new Error("no cookie was set");
  expect(cookie.httpOnly).toBe(true);
  expect(cookie.sameSite).toBe("Lax");
  await context.addCookies([{ ...cookie, value: "A".repeat(cookie.value.length) }]);
  await page.goto("/");
  await page.waitForURL(/\/sign-in/);
});
