import type { Locator, Page } from "@playwright/test";
import { type ConversationPage, expectLayer, expectNoLayer } from "../support/pages";
import { expect, test } from "../support/test";

/** The layers above a conversation: how to open each, and the opened element. */
const layers: [string, (here: ConversationPage) => Promise<Locator>][] = [
  [
    "the menu of a message",
    async ({ page }) => {
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("Enter");
      return page.getByRole("menu", { name: "Message menu" });
    },
  ],
  [
    "the details of a message, opened from its menu",
    async ({ page }) => {
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("Enter");
      await page.getByRole("menuitem", { name: "Details" }).click();
      return page.getByRole("dialog", { name: "Details" });
    },
  ],
  [
    "the list of shortcuts",
    async ({ page }) => {
      await page.keyboard.press("ControlOrMeta+/");
      return page.getByRole("dialog", { name: "Keyboard shortcuts" });
    },
  ],
  [
    "the emoji picker",
    async ({ page }) => {
      await page.getByRole("button", { name: "Emoji" }).click();
      return page.getByRole("dialog", { name: "Emoji" });
    },
  ],
];

for (const [name, open] of layers) {
  test(`Back first closes ${name} and then leaves the page`, async ({ alice, bob, conversation }) => {
    const here = await start(alice.page, () => alice.open(conversation, bob));
    const layer = await open(here);
    await expect(layer).toBeVisible();
    await expectLayer(here.page);
    await here.page.goBack();
    await expect(layer).toBeHidden();
    await expect(here.heading).toBeVisible();
    expect(new URL(here.page.url()).pathname).toBe(`/c/${conversation}`);
    await expect.poll(() => here.page.evaluate(() => document.activeElement !== document.body), { message: "an element has the focus" }).toBe(true);
    await here.page.goBack();
    await expect(here.heading).toBeHidden();
  });

  test(`closing ${name} with Escape leaves no history entry`, async ({ alice, bob, conversation }) => {
    const here = await start(alice.page, () => alice.open(conversation, bob));
    for (let turn = 0; turn < 2; turn += 1) {
      const layer = await open(here);
      await expect(layer).toBeVisible();
      await here.page.keyboard.press("Escape");
      await expect(layer).toBeHidden();
      await expectNoLayer(here.page);
      await here.box.focus();
    }
    await here.page.goBack();
    await expect(here.heading).toBeHidden();
  });
}

/** Opens a conversation with a message after the list; the focus is in the message box. */
async function start(page: Page, open: () => Promise<ConversationPage>): Promise<ConversationPage> {
  await page.goto("/");
  const here = await open();
  await here.write("Something to open a menu of");
  await here.expectStored("Something to open a menu of");
  await here.box.focus();
  return here;
}
