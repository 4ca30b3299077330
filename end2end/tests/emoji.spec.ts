import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { hold } from "../support/hold";
import { type ConversationPage, expectNoLayer, ready } from "../support/pages";
import { expect, test } from "../support/test";

const phone = { width: 390, height: 844 };

function picker(page: Page): Locator {
  return page.getByRole("dialog", { name: "Emoji" });
}

function suggestions(page: Page): Locator {
  return page.getByRole("listbox", { name: "Emoji by name" });
}

async function open(here: ConversationPage): Promise<Locator> {
  await here.page.getByRole("button", { name: "Emoji" }).click();
  await expect(picker(here.page).getByRole("option").first()).toBeVisible();
  return picker(here.page);
}

test("emoji data is fetched at the first use, and the names are fetched once", async ({ alice, bob, conversation }) => {
  const requested: string[] = [];
  alice.page.on("request", (request) => request.url().includes("/emoji/") && requested.push(new URL(request.url()).pathname));
  const here = await alice.open(conversation, bob);
  await here.write("Nothing special");
  await here.expectStored("Nothing special");
  expect(requested).toEqual([]);
  await here.box.pressSequentially("At 10:30, yes");
  await expect.poll(() => requested).toContain("/emoji/emoji.js");
  const names = () => requested.filter((path) => path.includes("/names/"));
  expect(names()).toEqual([]);
  const dialog = await open(here);
  await here.page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await open(here);
  expect(names()).toEqual(["/emoji/names/en.js"]);
});

test("a press on the button while the scripts load opens the picker after they have loaded", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const release = await hold(here.page, "**/emoji/emoji.js");
  const requested = here.page.waitForRequest("**/emoji/emoji.js");
  await here.box.pressSequentially(":");
  await requested;
  await here.page.getByRole("button", { name: "Emoji" }).click();
  release();
  await expect(picker(here.page).getByRole("option").first()).toBeVisible();
});

test("an emoji is inserted at the caret, and undo removes the emoji", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("Well  done");
  await here.box.evaluate((box: HTMLTextAreaElement) => box.setSelectionRange(5, 5));
  const dialog = await open(here);
  await dialog.getByRole("searchbox").fill("tada");
  await dialog.getByRole("option", { name: "party popper" }).click();
  await expect(dialog).toBeHidden();
  await expect(here.box).toBeFocused();
  await expect(here.box).toHaveValue("Well 🎉 done");
  await here.expectDraftStored("Well 🎉 done");
  await here.page.keyboard.type("!");
  await expect(here.box).toHaveValue("Well 🎉! done");
  await here.page.keyboard.press("ControlOrMeta+z");
  await here.page.keyboard.press("ControlOrMeta+z");
  await expect(here.box).toHaveValue("Well  done");
});

test("the picker works by keyboard alone, and Escape returns to the caret", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("ab");
  await here.box.evaluate((box: HTMLTextAreaElement) => box.setSelectionRange(1, 1));
  await here.page.keyboard.press("Shift+Tab");
  await here.page.keyboard.press("Enter");
  const dialog = picker(here.page);
  await expect(dialog.getByRole("searchbox")).toBeFocused();
  await expect(dialog.getByRole("option").first()).toBeVisible();
  await here.page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(here.box).toBeFocused();
  await expect.poll(() => here.box.evaluate((box: HTMLTextAreaElement) => box.selectionStart)).toBe(1);

  await here.page.keyboard.press("Shift+Tab");
  await here.page.keyboard.press("Enter");
  await expect(dialog.getByRole("searchbox")).toBeFocused();
  await here.page.keyboard.press("ArrowDown");
  const options = dialog.getByRole("option");
  await expect(options.nth(0)).toBeFocused();
  await here.page.keyboard.press("ArrowRight");
  await here.page.keyboard.press("ArrowRight");
  await expect(options.nth(2)).toBeFocused();
  await here.page.keyboard.press("ArrowDown");
  const below = await here.page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await here.page.keyboard.press("ArrowUp");
  await expect(options.nth(2)).toBeFocused();
  expect(below).toBeTruthy();
  await here.page.keyboard.press("Tab");
  await expect(dialog.getByRole("radio").first()).toBeFocused();
  await here.page.keyboard.press("Shift+Tab");
  await here.page.keyboard.press("Enter");
  await expect(here.box).toHaveValue(/^a\p{Emoji_Presentation}b$/u);

  // The used emoji is first the next time.
  const used = (await here.box.inputValue()).slice(1, -1);
  await open(here);
  await expect(options.nth(0)).toHaveText(used);
});

test("a chosen skin tone is stored and used", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  let dialog = await open(here);
  await dialog.getByRole("radio", { name: "Dark", exact: true }).check({ force: true });
  await dialog.getByRole("searchbox").fill("thumbsup");
  await dialog.getByRole("option", { name: "thumbs up" }).click();
  await expect(here.box).toHaveValue("👍🏿");
  await expectNoLayer(here.page);
  await here.page.reload();
  await ready(here.page);
  dialog = await open(here);
  await expect(dialog.getByRole("radio", { name: "Dark", exact: true })).toBeChecked();
});

test("the beginning of a name shows suggestions, Down and Enter insert a suggestion, and no message is sent", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially("So :smi");
  const options = suggestions(here.page).getByRole("option");
  await expect(options.first()).toHaveAttribute("aria-selected", "true");
  await expect(here.box).toHaveAttribute("aria-activedescendant", (await options.first().getAttribute("id")) ?? "");
  await here.box.press("ArrowDown");
  await expect(options.nth(1)).toHaveAttribute("aria-selected", "true");
  const chosen = (await options.nth(1).locator(".emoji").textContent()) ?? "";
  await here.box.press("Enter");
  await expect(here.box).toHaveValue(`So ${chosen}`);
  await expect(suggestions(here.page)).toHaveCount(0);
  await expect(here.messages).toHaveCount(0);
  await expect(here.box).not.toHaveAttribute("aria-activedescendant");
  await here.box.press("Enter");
  await expect(here.messages).toHaveCount(1);
});

test("Escape closes the suggestions and keeps the text; Tab and a click insert a suggestion", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially(":heart");
  await expect(suggestions(here.page)).toBeVisible();
  await here.box.press("Escape");
  await expect(suggestions(here.page)).toHaveCount(0);
  await expect(here.box).toHaveValue(":heart");
  await expect(here.box).toBeFocused();
  await here.box.fill("");
  await here.box.pressSequentially(":tad");
  await expect(suggestions(here.page)).toBeVisible();
  await here.box.press("Tab");
  await expect(here.box).toHaveValue("🎉");
  await expect(here.box).toBeFocused();
  await here.box.pressSequentially(" :rocke");
  await suggestions(here.page).getByRole("option").first().click();
  await expect(here.box).toHaveValue("🎉 🚀");
});

test("a complete emoji name is replaced, and a time and a smiley of punctuation stay", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  // Suggestions appear only after the names have loaded.
  await here.box.pressSequentially("Good :smil");
  await expect(suggestions(here.page)).toBeVisible();
  await here.box.pressSequentially("e: and 10:30: and :-) and :nosuchthing:");
  await expect(here.box).toHaveValue("Good 😄 and 10:30: and :-) and :nosuchthing:");
});

for (const text of ["See you at :10", "It takes :100", "Between :30", "Score :1_0"]) {
  test(`"${text}" and Enter is sent unchanged`, async ({ alice, bob, conversation }) => {
    const here = await alice.open(conversation, bob);
    // Once the names have loaded, suggestions appear at once.
    await here.box.pressSequentially(":smi");
    await expect(suggestions(here.page)).toBeVisible();
    await here.box.fill("");
    await here.box.pressSequentially(text);
    await expect(suggestions(here.page)).toHaveCount(0);
    await here.box.press("Enter");
    await here.expectStored(text);
  });
}

test("Enter inserts an emoji whose name begins with the typed text, and sends if only a description matches", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.pressSequentially(":+1");
  await expect(suggestions(here.page).getByRole("option").first()).toContainText("👍");
  await here.box.press("Enter");
  await expect(here.box).toHaveValue(/^👍/);
  await here.box.fill("");
  // The beginning of a word in a description, but of no emoji's name.
  await here.box.pressSequentially("So :celebr");
  await expect(suggestions(here.page)).toBeVisible();
  await here.box.press("Enter");
  await here.expectStored("So :celebr");
});

test.describe("in German", () => {
  test.use({ locale: "de-DE" });

  test("the search finds emoji by their German names", async ({ createUser, bob }) => {
    const greta = await createUser("Greta Gruen", { locale: "de-DE" });
    const here = await greta.open(await greta.apiConversation(bob), bob);
    const box = here.page.locator("textarea[name=body]");
    await box.pressSequentially(":raket");
    await here.page.locator(".emoji-offer [role=option]").first().click();
    await expect(box).toHaveValue("🚀");
  });
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`axe finds no violation in the picker and the suggestions, ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("on a wide screen, on a phone, and from right to left", async ({ createUser, bob }) => {
      test.slow();
      const anna = await createUser("Anna Ash", { colorScheme });
      const here = await anna.open(await anna.apiConversation(bob), bob);
      await here.box.pressSequentially(":smi");
      await expect(suggestions(here.page)).toBeVisible();
      await expectNoViolations(here.page);
      await here.box.press("Escape");
      await open(here);
      await expectNoViolations(here.page);
      await picker(here.page).getByRole("searchbox").fill("heart");
      await expectNoViolations(here.page);
      await here.page.keyboard.press("Escape");
      await here.page.keyboard.press("Escape");
      await expect(picker(here.page)).toBeHidden();
      await here.page.setViewportSize(phone);
      await open(here);
      const sheet = await picker(here.page).boundingBox();
      expect(sheet).toMatchObject({ x: 0, width: phone.width });
      await expectNoViolations(here.page);

      const amal = await createUser("Amal Asad", { colorScheme, locale: "ar" });
      const there = await amal.open(await amal.apiConversation(bob), bob);
      await there.page.locator(".emoji-button").click();
      await expect(there.page.locator(".emoji-picker [role=option]").first()).toBeVisible();
      await expectNoViolations(there.page);
    });
  });
}

async function expectNoViolations(page: Page): Promise<void> {
  // All of the two thousand emoji have the same structure, so the first category is enough.
  const { violations } = await new AxeBuilder({ page }).exclude(".emoji-section:nth-child(n + 2)").analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const found = serious.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`));
  expect(found).toEqual([]);
}
