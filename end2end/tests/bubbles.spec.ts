// The appearance of a message: position of its time, ticks, emoji, animation, highlight.
import type { Locator } from "@playwright/test";
import { contrast, pixels } from "../support/pixels";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

const WORDS = "and so on, as people write when they have a little more to say";
const BODIES = [
  "Ok",
  "Two lines\nof text",
  ...Array.from({ length: 9 }, (_, index) => `${WORDS} `.repeat(2).slice(0, 40 + 7 * index).trim()),
  "Look: https://example.org/a/path/that/does/not/end/so/soon/and/is/all/of/the/last/line",
  "x".repeat(180),
  "مرحبا، كيف حالك اليوم؟ أكتب إليك من القطار وأصل بعد ساعة تقريبا إن شاء الله",
  "English first\nثم بالعربية",
  "ثم بالعربية\nEnglish last",
  "12:30",
  "🎉",
  Array.from({ length: 40 }, (_, index) => `Verse ${index + 1}`).join("\n"),
];

for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
  for (const locale of ["en-GB", "ar-EG"]) {
    test(`the time is inside the bubble and never covers the text, ${size}, ${locale}`, async ({ createUser, alice }) => {
      const reader = await createUser("Rita Reader", { locale, viewport });
      const conversation = await reader.apiConversation(alice);
      for (const body of BODIES) {
        await alice.apiSend(conversation, body);
        await reader.apiSend(conversation, body);
      }
      const here = await reader.open(conversation, alice);
      const rows = here.page.getByRole("article");
      await expect(rows).toHaveCount(BODIES.length * 2);
      const wrong = await rows.evaluateAll((articles) =>
        articles.flatMap((article) => {
          const [bubble, body, meta] = [".bubble", ".body", ".meta"].map((part) => article.querySelector(part));
          if (!bubble || !body || !meta) return ["a part is missing"];
          const range = document.createRange();
          range.selectNodeContents(body);
          if (body.contains(meta)) range.setEndBefore(meta);
          const [outer, inner] = [bubble.getBoundingClientRect(), meta.getBoundingClientRect()];
          const lines = [...range.getClientRects()].filter(({ top }) => top < body.getBoundingClientRect().bottom - 2);
          const meets = lines.some(
            (line) => line.left < inner.right + 6 && line.right > inner.left - 6 && line.top + 4 < inner.bottom && line.bottom - 4 > inner.top,
          );
          const inside = inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom;
          const text = article.textContent?.slice(0, 60);
          return [...(meets ? [`over the text: ${text}`] : []), ...(inside ? [] : [`outside: ${text}`])];
        }),
      );
      expect(wrong).toEqual([]);

      const short = rows.nth(0).locator(".bubble");
      expect((await rectangle(short)).height, "a word and its time fit into one line").toBeLessThan(40);
      const turns = await Promise.all([rectangle(rows.nth(0)), rectangle(rows.nth(1))]);
      expect((turns[1]?.y ?? 0) - (turns[0]?.y ?? 0), "two messages of one line each").toBeLessThan(53);
    });
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`ticks differ by brightness and shape, are large enough for a finger, and have a name, ${colorScheme}`, async ({ createUser, alice }) => {
    const reader = await createUser("Rita Reader", { colorScheme });
    const conversation = await reader.apiConversation(alice);
    await reader.apiSend(conversation, "Seen");
    await alice.apiRead(conversation, 1);
    await alice.home();
    const here = await reader.open(conversation, alice);
    await here.write("Only there");
    await here.expectState("Only there", "delivered");
    await here.expectState("Seen", "read");

    const look = (body: string) =>
      here.message(body).evaluate((article) => {
        const [tick, bubble] = [article.querySelector(".tick"), article.querySelector(".bubble")].map((part) => getComputedStyle(part as Element));
        return { colour: tick?.color ?? "", stroke: parseFloat(tick?.strokeWidth ?? "0"), background: bubble?.backgroundColor ?? "" };
      });
    const [read, delivered] = [await look("Seen"), await look("Only there")];
    expect(contrast(read.colour, delivered.colour)).toBeGreaterThanOrEqual(1.6);
    for (const { colour, background } of [read, delivered]) expect(contrast(colour, background)).toBeGreaterThanOrEqual(3);
    expect(read.stroke).toBeGreaterThan(delivered.stroke);

    const ticks = here.message("Seen").locator(".ticks");
    await expect(ticks).toHaveAccessibleName("Read. Details");
    const { width, height } = await rectangle(ticks);
    expect(Math.min(width, height)).toBeGreaterThanOrEqual(24);
    await ticks.click();
    await expect(here.page.getByRole("dialog", { name: "Details" })).toContainText("Read");
    await here.page.keyboard.press("Escape");

    await here.page.emulateMedia({ forcedColors: "active" });
    expect((await look("Seen")).colour).not.toBe((await look("Only there")).colour);
  });
}

test("an emoji in a message is in colour, even if the text font contains an outline of the emoji", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "Well 😂 ☺ 1 2 3 © ™ #", "Plain");
  const here = await bob.open(conversation, alice);
  const fonts = await here.page.evaluate(() =>
    ["Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji"].some((name) => {
      const context = new OffscreenCanvas(40, 40).getContext("2d");
      if (!context) return false;
      context.font = `30px "${name}"`;
      context.fillText("😂", 0, 30);
      const { data } = context.getImageData(0, 0, 40, 40);
      return data.some((value, at) => at % 4 === 0 && value > (data[at + 2] ?? 0) + 60);
    }),
  );
  expect(fonts, "a font with emoji in colour, as scripts/setup installs with the browser").toBe(true);
  const yellow = (red: number, green: number, blue: number) => red > blue + 100 && green > blue + 80;
  expect((await pixels(here.message("Well").locator(".body"), yellow)).length).toBeGreaterThan(200);
  expect(await pixels(here.message("Plain").locator(".body"), yellow)).toEqual([]);
});

test("a control changes under the pointer only on devices that can hover, and changes when pressed on every device", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "Hello");
  const here = await bob.open(conversation, alice);
  const rules = await here.page.evaluate(() => {
    const found: { selector: string; hovers: boolean }[] = [];
    const walk = (rules: CSSRuleList, hovers: boolean) => {
      for (const rule of rules) {
        if (rule instanceof CSSStyleRule && /:(hover|active)\b/.test(rule.selectorText)) found.push({ selector: rule.selectorText, hovers });
        if ("cssRules" in rule) walk(rule.cssRules as CSSRuleList, hovers || (rule instanceof CSSMediaRule && /hover:\s*hover/.test(rule.conditionText)));
      }
    };
    for (const sheet of document.styleSheets) walk(sheet.cssRules, false);
    return found;
  });
  expect(rules.filter(({ selector, hovers }) => selector.includes(":hover") && !hovers)).toEqual([]);
  expect(rules.filter(({ selector, hovers }) => selector.includes(":active") && !hovers).length).toBeGreaterThan(9);
  const send = here.send;
  const before = await background(send);
  const { x, y } = await rectangle(send);
  await here.box.fill("something");
  await here.page.mouse.move(x + 20, y + 20);
  await here.page.mouse.down();
  await expect.poll(() => background(send)).not.toBe(before);
  await here.page.mouse.up();
});

test("a message is highlighted while its menu is open, and the menu does not cover the message", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, `${WORDS}. `.repeat(6), "Short");
  await bob.apiSend(conversation, `Mine, ${WORDS}. `.repeat(6), "Mine");
  const here = await bob.open(conversation, alice);
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  for (const index of [0, 1, 2, 3]) {
    const message = here.messages.nth(index);
    const bubble = message.locator(".bubble");
    const before = await background(bubble);
    await message.hover();
    await here.page.getByRole("button", { name: "Message menu" }).click();
    await expect(menu).toBeVisible();
    await expect.poll(() => background(bubble)).not.toBe(before);
    await expect.poll(() => overlap(menu, message)).toBe(0);
    await here.page.keyboard.press("Escape");
    await expect.poll(() => background(bubble)).toBe(before);
  }
  await here.box.focus();
  await here.page.keyboard.press("ArrowUp");
  const last = here.messages.nth(3);
  const before = await background(last.locator(".bubble"));
  await here.page.keyboard.press("Enter");
  await expect(menu).toBeVisible();
  await expect.poll(() => background(last.locator(".bubble"))).not.toBe(before);
  await expect.poll(() => overlap(menu, last)).toBe(0);
  await here.page.keyboard.press("ArrowDown");
  expect(await menu.getByRole("menuitem").nth(1).evaluate((item) => parseFloat(getComputedStyle(item).borderRadius)), "a round ring").toBeGreaterThan(4);
});

test("a long press gives feedback at once, and the menu does not cover the message", async ({ alice, createUser }) => {
  const dora = await createUser("Dora Dale", { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });
  const conversation = await dora.apiConversation(alice);
  await alice.apiSend(conversation, "Earlier", "Hold me");
  const here = await dora.open(conversation, alice);
  const message = here.message("Hold me");
  const bubble = message.locator(".bubble");
  const before = await background(bubble);
  // Records the feedback before the menu opens.
  await here.page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    document.addEventListener("transitionrun", (event) => {
      const menu = document.querySelector(".message-menu")?.matches(":popover-open");
      if ((event.target as Element).matches(".bubble") && !menu) seen.push(event.propertyName);
    });
  });
  const { x, y } = await rectangle(message);
  const touch = await dora.context.newCDPSession(here.page);
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: x + 20, y: y + 15 }] });
  const menu = here.page.getByRole("menu", { name: "Message menu" });
  await expect(menu).toBeVisible();
  expect(await here.page.evaluate(() => (window as unknown as { seen: string[] }).seen)).toContain("scale");
  await expect.poll(() => background(bubble)).not.toBe(before);
  await expect.poll(() => overlap(menu, message)).toBe(0);
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await menu.getByRole("menuitem", { name: "Select text" }).tap();
  await expect(menu).toBeHidden();
  await expect.poll(() => here.page.evaluate(() => getSelection()?.toString().trim())).toBe("Hold me");
  await expect.poll(() => background(bubble)).toBe(before);
});

test("copying shows a confirmation for a moment, and works without HTTPS as well", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 40 }, (_, index) => `Earlier ${index + 1}`), "Copy me");
  await bob.apiRead(conversation, 41);
  // A page loaded over http has no `navigator.clipboard`.
  await bob.page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, "clipboard"));
  const here = await bob.open(conversation, alice);
  const position = await rectangle(here.message("Copy me"));
  // The confirmation is measured when it appears, because it is shown for two seconds only.
  await here.page.evaluate(() => {
    const toasts: object[] = [];
    Object.assign(window, { toasts });
    const [toast, composer] = [document.querySelector(".toast"), document.querySelector("textarea[name=body]")];
    if (!toast || !composer) throw new Error("a part is missing");
    new MutationObserver(() => {
      const { bottom, height } = toast.getBoundingClientRect();
      const text = toast.textContent;
      if (text) toasts.push({ text, isAboveComposer: bottom < composer.getBoundingClientRect().top, isTall: height > 20 });
    }).observe(toast, { characterData: true, childList: true, subtree: true });
  });
  await here.message("Copy me").hover();
  await here.page.getByRole("button", { name: "Message menu" }).click();
  await here.page.getByRole("menuitem", { name: "Copy text" }).click();
  await expect.poll(() => here.page.evaluate(() => (window as unknown as { toasts: object[] }).toasts)).toEqual([
    { text: "Copied", isAboveComposer: true, isTall: true },
  ]);
  expect(await rectangle(here.message("Copy me")), "nothing moves").toEqual(position);
  await expect(here.page.getByRole("status").filter({ hasText: "Copied" })).toHaveCount(0);
  await here.box.focus();
  await here.page.keyboard.press("Control+V");
  await expect(here.box).toHaveValue("Copy me");
});

test("a new message is animated, but messages of an opened conversation or of older pages are not, nor any with reduced motion", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, ...Array.from({ length: 120 }, (_, index) => `Earlier ${index + 1}.`));
  await bob.apiRead(conversation, 120);
  await bob.page.addInitScript(() => {
    const moved: string[] = [];
    Object.assign(window, { moved });
    document.addEventListener("animationstart", ({ animationName, target }) => {
      if (animationName === "move-in") moved.push((target as Element).textContent ?? "");
    });
  });
  const moved = () => bob.page.evaluate(() => (window as unknown as { moved: string[] }).moved.splice(0));
  const here = await bob.open(conversation, alice);
  await expect(async () => {
    await here.log.evaluate((log) => log.scrollBy(0, -10_000));
    await expect(here.message("Earlier 1.")).toBeAttached({ timeout: 200 });
  }).toPass();
  await here.log.evaluate((log) => log.scrollBy(0, 10_000));
  await expect(here.message("Earlier 120.")).toBeInViewport();
  expect(await moved()).toEqual([]);
  await alice.apiSend(conversation, "Something new");
  await expect(here.message("Something new")).toBeInViewport();
  await expect.poll(async () => (await moved()).join()).toContain("Something new");
  await here.page.emulateMedia({ reducedMotion: "reduce" });
  await here.write("Quietly");
  await expect(here.message("Quietly")).toBeInViewport();
  await here.expectStored("Quietly");
  expect(await moved()).toEqual([]);
});

test("in Arabic the caret of an empty box is at the start of the text", async ({ createUser, alice }) => {
  const reader = await createUser("Rita Reader", { locale: "ar-EG" });
  const here = await reader.open(await reader.apiConversation(alice), alice);
  const box = here.page.getByRole("textbox").last();
  await box.evaluate((box) => (box.style.caretColor = "rgb(255, 0, 0)"));
  await box.focus();
  const caret = async () => (await pixels(box, (red, green, blue) => red > 240 && green < 30 && blue < 30))[0]?.[0];
  await expect.poll(caret, { message: "the caret blinks" }).toBeDefined();
  const { width } = await rectangle(box);
  await expect.poll(async () => ((await caret()) ?? 0) > width * 0.8).toBe(true);
});

test("an unsent message shows its time and its ticks like other messages", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  network.refuse("body_control_character");
  await here.write("Refused");
  await here.expectState("Refused", "not sent");
  await expect(here.message("Refused").locator(".bubble .ticks")).toHaveAccessibleName("Not sent. Details");
  await expect(here.message("Refused").getByRole("button", { name: "Retry" })).toBeVisible();
});

async function rectangle(part: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await part.boundingBox();
  if (!box) throw new Error(`${part} is not on the page`);
  return box;
}

function background(part: Locator): Promise<string> {
  return part.evaluate((element) => getComputedStyle(element).backgroundColor);
}

/** The overlap of two parts, in whole pixels. */
async function overlap(one: Locator, other: Locator): Promise<number> {
  const [a, b] = [await rectangle(one), await rectangle(other)];
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.round(Math.max(0, width) * Math.max(0, height));
}
