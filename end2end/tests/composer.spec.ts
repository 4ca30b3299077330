import { type ConversationPage, ready } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";
import { Network } from "../support/network";

async function height(here: ConversationPage): Promise<number> {
  return here.box.evaluate((box) => box.getBoundingClientRect().height);
}

test("the box grows to eight lines, then scrolls, and shrinks when the message is sent", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const one = await height(here);
  const line = Number.parseFloat(await here.box.evaluate((box) => getComputedStyle(box).lineHeight));
  for (let lines = 2; lines <= 8; lines += 1) {
    await here.box.press("Shift+Enter");
    await expect.poll(() => height(here)).toBeCloseTo(one + (lines - 1) * line, 0);
  }
  await here.box.press("Shift+Enter");
  await here.box.pressSequentially("The ninth line");
  await expect.poll(() => height(here)).toBeCloseTo(one + 7 * line, 0);
  const scrolls = await here.box.evaluate((box) => box.scrollHeight > box.clientHeight && box.scrollTop > 0);
  expect(scrolls).toBe(true);
  await here.box.press("Enter");
  await expect.poll(() => height(here)).toBeCloseTo(one, 0);
});

test("a long name does not make the empty box grow", async ({ alice, createUser }) => {
  const long = await createUser("Maximiliane Wilhelmina Wolfram");
  await alice.page.setViewportSize({ width: 320, height: 640 });
  const here = await alice.open(await alice.apiConversation(long), long);
  expect(await height(here)).toBeLessThanOrEqual(50);
});

test("a focused box has a single ring", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.focus();
  const rings = await here.box.evaluate((box) => {
    const drawn = (element: Element) => getComputedStyle(element).outlineStyle !== "none";
    const around = [box, box.parentElement, box.parentElement?.parentElement].filter((element) => element !== null && element !== undefined);
    return around.filter(drawn).length;
  });
  expect(rings).toBe(1);
});

test("the send button is pale while the box is empty, and never disabled", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await expect(here.send).toHaveClass(/is-idle/);
  await expect(here.send).toBeEnabled();
  await here.send.click();
  await expect(here.box).toBeFocused();
  await here.box.fill("  \n ");
  await expect(here.send).toHaveClass(/is-idle/);
  await here.box.fill("Now there is");
  await expect(here.send).not.toHaveClass(/is-idle/);
  await here.send.click();
  await here.expectStored("Now there is");
  await expect(here.box).toBeFocused();
  await expect(here.send).toHaveClass(/is-idle/);
  await expect(here.messages).toHaveCount(1);
});

test("the counter appears near the limit, covers no text, and shows an excess", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  const counter = here.page.locator(".counter");
  await here.box.fill("a".repeat(3799));
  await expect(counter).toBeHidden();
  await here.box.fill("a".repeat(3900));
  await expect(counter).toHaveText("100 left");
  const covers = await counter.evaluate((counter) => {
    const box = document.querySelector(".composer-box")?.getBoundingClientRect();
    const send = document.querySelector(".send")?.getBoundingClientRect();
    const own = counter.getBoundingClientRect();
    const over = (other?: DOMRect) => other !== undefined && own.top < other.bottom && own.bottom > other.top && own.left < other.right && own.right > other.left;
    return over(box) || over(send);
  });
  expect(covers).toBe(false);
  await here.box.fill("a".repeat(4012));
  await expect(counter).toHaveText("12 too many");
});

test("pasted text keeps its lines, and a pasted or dropped file is refused with a message", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.focus();
  await here.page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/plain", "one\r\n\ttwo\n\n  four");
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    // A synthetic paste event inserts nothing, so the test inserts the text if the page leaves the paste to the browser.
    if (document.activeElement?.dispatchEvent(event)) document.execCommand("insertText", false, data.getData("text/plain"));
  });
  await expect(here.box).toHaveValue("one\n\ttwo\n\n  four");
  const refused = here.page.getByText("You can’t send files here");
  await expect(refused).toHaveCount(0);

  await giveFile(here, "paste");
  await expect(refused).toBeVisible();
  await expect(here.box).toHaveValue("one\n\ttwo\n\n  four");
  await here.box.press("End");
  await here.box.pressSequentially("!");
  await expect(refused).toHaveCount(0);
  expect(await giveFile(here, "drop")).toBe(false);
  await expect(refused).toBeVisible();
  await here.box.press("Enter");
  await expect(here.message("four!")).toBeVisible();
});

/** Pastes or drops a picture; returns whether the browser would have handled the event. */
async function giveFile(here: ConversationPage, kind: "paste" | "drop"): Promise<boolean> {
  return here.box.evaluate((box, kind) => {
    const data = new DataTransfer();
    data.items.add(new File(["not text"], "picture.png", { type: "image/png" }));
    const init = { bubbles: true, cancelable: true };
    return box.dispatchEvent(
      kind === "paste" ? new ClipboardEvent(kind, { ...init, clipboardData: data }) : new DragEvent(kind, { ...init, dataTransfer: data }),
    );
  }, kind);
}

test("a pasted megabyte leaves the box usable, shows the limit, and becomes a draft that opens quickly", async ({ alice, bob, conversation }) => {
  test.slow();
  const here = await alice.open(conversation, bob);
  // The same text in a plain text area shows the current speed of this machine.
  const times = await here.page.evaluate(async () => {
    const text = "word and word ".repeat(75_000);
    const insert = async (box: HTMLTextAreaElement) => {
      box.focus();
      const began = performance.now();
      document.execCommand("insertText", false, text);
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
      return performance.now() - began;
    };
    const plain = document.createElement("textarea");
    plain.style.cssText = "position: fixed; width: 40rem; height: 13.5rem";
    document.body.append(plain);
    const speed = await insert(plain);
    plain.remove();
    const ours = document.querySelector<HTMLTextAreaElement>("textarea[name=body]");
    return { speed, ours: ours ? await insert(ours) : Number.NaN };
  });
  expect(times.ours).toBeLessThan(3 * times.speed + 500);
  await expect(here.page.locator(".counter")).toHaveText(/too many$/);
  await here.box.press("End");
  await here.box.press("!");
  await here.box.press("Enter");
  await expect(here.page.getByText("up to 4000")).toBeVisible();
  await expect(here.messages).toHaveCount(0);
  const length = async () => here.box.evaluate((box: HTMLTextAreaElement) => box.value.length);
  expect(await length()).toBe(14 * 75_000 + 1);
  await here.expectDraftStored("word and word !");

  await here.page.reload();
  await ready(here.page);
  await expect.poll(length).toBe(14 * 75_000 + 1);
  await here.box.fill("Short again");
  await expect(here.box).toHaveAttribute("dir", "ltr");
  await here.box.press("Enter");
  await here.expectStored("Short again");
});

test("a very long text has the direction of its first letter", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("12, مرحبا ".repeat(4_000));
  await expect(here.box).toHaveCSS("direction", "rtl");
  await here.box.fill("12, hello ".repeat(4_000));
  await expect(here.box).toHaveCSS("direction", "ltr");
});

test("invisible characters do not prevent the sending of a pasted text", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.write("from a\u000bword processor, \u001b[32mgreen");
  await here.expectStored("from a\nword processor, [32mgreen");
});

test("Enter does not send while an input method composes, nor when the composition ends just before the key event", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.box.fill("日本");
  const enter = (init: { isComposing?: boolean; keyCode?: number }) =>
    here.box.evaluate((box, init) => box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init })), init);
  expect(await enter({ isComposing: true })).toBe(true);
  await here.box.evaluate((box) => {
    box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "日本" }));
  });
  expect(await enter({ keyCode: 229 })).toBe(true);
  await expect(here.messages).toHaveCount(0);
  await expect(here.box).toHaveValue("日本");
  expect(await enter({ keyCode: 13 })).toBe(false);
  await here.expectStored("日本");
});

test("the list shows the draft of each conversation, also after a reload", async ({ alice, bob, createUser, conversation }) => {
  const carol = await createUser("Carol Cole");
  const other = await alice.apiConversation(carol);
  await alice.apiSend(other, "Hello Carol");
  const here = await alice.open(conversation, bob);
  await here.box.fill("About the boat");
  await here.expectDraftStored("About the boat");
  await expect(here.page.locator(".list-entry[aria-current=page]")).not.toContainText("Draft");
  const home = await alice.home();
  const entry = home.entry(bob.name);
  await expect(entry).toContainText("Draft: About the boat");
  await expect(home.entry(carol.name)).toContainText("Hello Carol");

  await home.entry(carol.name).click();
  await expect(here.box).toHaveValue("");
  await here.box.fill("About the house");
  await entry.click();
  await expect(here.box).toHaveValue("About the boat");
  await expect(home.entry(carol.name)).toContainText("Draft: About the house");

  await here.page.reload();
  await ready(here.page);
  await expect(home.entry(carol.name)).toContainText("Draft: About the house");
  await here.box.press("Enter");
  await here.expectStored("About the boat");
  await expect(entry).not.toContainText("Draft");
});

test("a draft is kept beside a message that waits to be sent", async ({ alice, bob, conversation, watch }) => {
  watch.allow(OUTAGE);
  const network = await Network.of(alice.context);
  const here = await alice.open(conversation, bob);
  await network.cut();
  await here.write("This one waits");
  await here.box.fill("And this is half a");
  await here.expectDraftStored("And this is half a");
  await here.page.reload();
  await ready(here.page);
  await here.expectState("This one waits", "sending");
  await expect(here.box).toHaveValue("And this is half a");
});

test.describe("on a touch screen", () => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

  test("Enter breaks the line, the button sends, and the keyboard stays as it was", async ({ createUser, bob }) => {
    const tess = await createUser("Tess Touch", phone);
    const here = await tess.open(await tess.apiConversation(bob), bob);
    await expect(here.box).not.toBeFocused();
    await here.box.tap();
    await here.box.pressSequentially("First");
    await here.box.press("Enter");
    await here.box.pressSequentially("second");
    await expect(here.box).toHaveValue("First\nsecond");
    await here.page.evaluate(() => {
      Object.assign(window, { blurs: 0 });
      document.addEventListener("focusout", () => ((window as unknown as { blurs: number }).blurs += 1));
    });
    await here.send.tap();
    await expect(here.message("First\nsecond")).toBeVisible();
    await expect(here.box).toBeFocused();
    expect(await here.page.evaluate(() => (window as unknown as { blurs: number }).blurs)).toBe(0);
  });

  for (const keys of ["Control+Enter", "Meta+Enter"]) {
    test(`${keys} sends, because a touch screen may have a keyboard`, async ({ createUser, bob }) => {
      const tess = await createUser("Tess Touch", phone);
      const here = await tess.open(await tess.apiConversation(bob), bob);
      await here.box.tap();
      await here.box.pressSequentially("By the keyboard");
      await here.box.press("Shift+Enter");
      await here.box.pressSequentially("of a tablet");
      await here.box.press(keys);
      await here.expectStored("By the keyboard\nof a tablet");
      await expect(here.box).toHaveValue("");
    });
  }
});
