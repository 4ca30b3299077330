import type { Page } from "@playwright/test";
import { holdWasm } from "../support/hold";
import { ConversationPage, HomePage, ready, SignInPage } from "../support/pages";
import { rewrite } from "../support/rewrite";
import { expect, test } from "../support/test";
import { REFUSAL } from "../support/watch";

// A page that cannot be hydrated is rendered anew, and a page that cannot be rendered stays plain: no page appears live without being
// live.

/** How the program started the page. */
const start = (page: Page) => page.locator("html").getAttribute("data-start");

/** Changes the part of a page that the program hydrates. */
const inside = (change: (part: string) => string) => (html: string) =>
  html.replace(/(<div id="app">)(.*)(<div id="wrong-address")/s, (_, open, part, rest) => open + change(part) + rest);

test("an unchanged page is hydrated", async ({ alice, bob, conversation, page, watch }) => {
  watch.allow(REFUSAL);
  await bob.apiSend(conversation, "Hello", "https://example.org and a :smile:");
  for (const path of ["/", `/c/${conversation}`, "/settings", "/invite", "/nowhere"]) {
    await alice.page.goto(path);
    await ready(alice.page);
    expect(await start(alice.page), path).toBe("hydrate");
  }
  for (const path of ["/sign-in", "/sign-up"]) {
    await page.goto(path);
    await ready(page);
    expect(await start(page), path).toBe("hydrate");
  }
});

const proxies: Record<string, (html: string) => string> = {
  "without comments": (html) => html.replace(/<!--.*?-->|<!>/gs, ""),
  "without the spaces between elements": inside((part) => part.replace(/> </g, "><")),
  "with an element before the text box": inside((part) => part.replace("<textarea", "<div>stranger</div><textarea")),
  "with an element before each field": inside((part) => part.replace(/<input/g, "<i></i><input")),
  // Not the first button, which is in a `noscript` that hydration ignores.
  "without a button": inside((part) => part.replace(/<button type="submit".*?<\/button>/s, "")),
  "without a heading": inside((part) => part.replace(/<h1.*?<\/h1>/s, "")),
  "with texts in the elements of a translator": inside((part) => part.replace(/>([^<>]*\w[^<>]*)<\/(h1|p|span|a)>/g, "><font>$1</font></$2>")),
  "without the hash of its structure": (html) => html.replace(/<meta name="structure"[^>]*>/, ""),
};

for (const [what, change] of Object.entries(proxies)) {
  test(`a page that a proxy delivers ${what} is rendered anew and works`, async ({ alice, bob, conversation }) => {
    await bob.apiSend(conversation, "Before");
    await rewrite(alice.page, change);
    const here = await alice.open(conversation, bob);
    expect(await start(alice.page)).toBe("draw");
    await here.expectBodies("Before");
    await here.write("From the new page");
    await here.expectStored("From the new page");
    await bob.apiSend(conversation, "An answer");
    await here.expectBodies("Before", "From the new page", "An answer");
    await alice.page.goto("/settings");
    await ready(alice.page);
    await alice.page.getByLabel("Your name").fill("Alice Anew");
    await alice.page.getByRole("button", { name: "Save" }).click();
    await expect(alice.page.getByText("Saved", { exact: true })).toBeVisible();
    await alice.page.getByRole("link", { name: bob.name }).first().click();
    await here.expectBodies("Before", "From the new page", "An answer");
  });
}

test("typed text, also a password, is kept when a page is rendered anew", async ({ page, alice }) => {
  await rewrite(page, (html) => html.replace(/<!--.*?-->|<!>/gs, ""));
  const release = await holdWasm(page);
  const form = new SignInPage(page);
  await page.goto("/sign-in", { waitUntil: "commit" });
  await form.username.fill(alice.username);
  await form.password.fill(alice.password);
  release();
  await ready(page);
  expect(await start(page)).toBe("draw");
  await expect(form.username).toHaveValue(alice.username);
  await expect(form.password).toBeFocused();
  await form.signIn.click();
  await page.waitForURL(/\/$/);
});

/** Console errors of the browser after the program ended. */
const TRAP = /panicked|unreachable|RuntimeError|refused by this test/;

test("a page whose hydration panics is reloaded and rendered anew with the typed text", async ({ alice, bob, conversation, watch }) => {
  watch.allow(TRAP);
  // Without comment nodes hydration finds no markers and panics; rendering creates its own.
  await alice.page.addInitScript(() => {
    Object.defineProperty(Comment, Symbol.hasInstance, { value: () => false });
  });
  const release = await holdWasm(alice.page);
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  const here = new ConversationPage(alice.page, bob.name);
  await here.box.fill("Typed on a page that panics");
  release();
  await ready(alice.page);
  expect(await start(alice.page)).toBe("draw");
  await expect(here.box).toHaveValue("Typed on a page that panics");
  await here.box.press("Enter");
  await here.expectStored("Typed on a page that panics");
});

test("a page that can be neither hydrated nor rendered stays plain, and a reload tries again", async ({ alice, bob, conversation, watch }) => {
  watch.allow(TRAP);
  await alice.page.addInitScript(() => {
    if (sessionStorage.getItem("mended")) return;
    Object.defineProperty(Comment, Symbol.hasInstance, { value: () => false });
    Document.prototype.createComment = () => {
      throw new Error("refused by this test");
    };
  });
  await alice.page.goto(`/c/${conversation}`, { waitUntil: "commit" });
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "plain");
  await expect(alice.page.locator("html")).not.toHaveAttribute("data-hydrated");
  const here = new ConversationPage(alice.page, bob.name);
  await expect(alice.page.getByText(/this page doesn’t update itself/i)).toBeVisible();
  await here.box.fill("By the plain form");
  await here.send.click();
  await here.expectBodies("By the plain form");
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "plain");

  await alice.page.evaluate(() => sessionStorage.setItem("mended", "yes"));
  await alice.page.reload();
  await ready(alice.page);
  expect(await start(alice.page)).toBe("hydrate");
  await here.expectBodies("By the plain form");
});

test("a page without bootstrap data stays plain", async ({ alice, bob, conversation, watch }) => {
  watch.allow(/__RESOLVED_RESOURCES is not defined/);
  await rewrite(alice.page, (html) => html.replace(/__RESOLVED_RESOURCES/g, "__TAKEN_AWAY"));
  await alice.page.goto(`/c/${conversation}`);
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "plain");
  const here = new ConversationPage(alice.page, bob.name);
  await here.box.fill("Without data");
  await here.send.click();
  await here.expectBodies("Without data");
});

test("a live page that panics is reloaded and keeps its text", async ({ alice, bob, conversation, watch }) => {
  watch.allow(TRAP, /WebAssembly/);
  const here = await alice.open(conversation, bob);
  await here.box.fill("Half a sentence");
  await alice.page.evaluate(() => {
    dispatchEvent(new ErrorEvent("error", { error: new WebAssembly.RuntimeError("unreachable") }));
  });
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "draw");
  await ready(alice.page);
  await expect(here.box).toHaveValue("Half a sentence");
  await here.box.press("Enter");
  await here.expectStored("Half a sentence");
});

test("an error in a foreign script changes nothing, also during a call of the program", async ({ alice, bob, conversation, watch }) => {
  watch.allow(/a stranger/);
  const here = await alice.open(conversation, bob);
  await here.box.fill("Half a sentence");
  await alice.page.evaluate(() => {
    addEventListener("focusin", () => {
      throw new Error("a stranger's listener");
    });
    const error = new Error("a stranger");
    error.stack = "Error: a stranger\n    at hash (https://vault.example/argon2-wasm.js:1:1)";
    dispatchEvent(new ErrorEvent("error", { error }));
    const trap = new WebAssembly.RuntimeError("a stranger");
    trap.stack = "RuntimeError: a stranger\n    at wasm://wasm/a0b1c2d3:wasm-function[7]:0x1f";
    dispatchEvent(new ErrorEvent("error", { error: trap }));
  });
  // The program moves the focus, and thereby calls the foreign listener.
  await alice.page.keyboard.press("Control+k");
  await expect(new HomePage(alice.page).search).toBeFocused();
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "hydrate");
  await here.box.press("Enter");
  await here.expectStored("Half a sentence");
});

test("a live page works when a translator wraps every text in elements", async ({ alice, bob, conversation, createUser }) => {
  const carol = await createUser("Carol Cole");
  const other = await alice.apiConversation(carol);
  await carol.apiSend(other, "From Carol");
  await bob.apiSend(conversation, "One", "Two");
  const here = await alice.open(conversation, bob);
  const translate = () =>
    alice.page.evaluate(() => {
      const root = document.getElementById("app") as HTMLElement;
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      const texts: Text[] = [];
      while (walker.nextNode()) texts.push(walker.currentNode as Text);
      for (const text of texts) {
        if (!text.data.trim() || text.parentElement?.closest("font, script, noscript, textarea, option")) continue;
        const font = document.createElement("font");
        font.append(text.data);
        text.replaceWith(font);
      }
    });
  await translate();
  await bob.apiSend(conversation, "Three");
  await expect(here.message("Three")).toBeVisible();
  // A changed text is visible although the translator had replaced it by an element.
  const entry = new HomePage(alice.page).entry(bob.name);
  await expect(entry).toContainText("Three");
  await expect(entry).not.toContainText("Two");
  await here.write("Four");
  await here.expectStored("Four");
  await translate();
  await alice.page.getByRole("link", { name: /Settings/ }).click();
  await expect(alice.page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  await translate();
  await alice.page.getByRole("link").filter({ hasText: carol.name }).first().click();
  const there = new ConversationPage(alice.page, carol.name);
  await expect(there.message("From Carol")).toBeVisible();
  await translate();
  await there.write("Five");
  await there.expectStored("Five");
  await carol.apiSend(other, "Six");
  await expect(there.message("Six")).toBeVisible();
  await expect(alice.page.locator("html")).toHaveAttribute("data-start", "hydrate");
  await expect(alice.page.locator("html")).toHaveAttribute("data-hydrated", "true");
});

const refusals: Record<string, () => void> = {
  "the browser's locale is rejected": () => Object.defineProperty(Navigator.prototype, "language", { get: () => "en-US@posix" }),
  "every locale is rejected": () => {
    class Refusing {
      constructor() {
        throw new RangeError("Incorrect locale information provided");
      }
    }
    Object.assign(Intl, { DateTimeFormat: Refusing, PluralRules: Refusing });
  },
  "Intl is missing": () => Reflect.deleteProperty(globalThis, "Intl"),
};

for (const [what, refuse] of Object.entries(refusals)) {
  test(`a page works with a failing Intl: ${what}`, async ({ alice, bob, conversation }) => {
    await alice.page.addInitScript(refuse);
    await bob.apiSend(conversation, "What time is it?");
    const here = await alice.open(conversation, bob);
    expect(await start(alice.page)).toBe("hydrate");
    await expect(here.message("What time is it?").locator("time").first()).toHaveText(/\d\d:\d\d/);
    await here.write("Late");
    await here.expectStored("Late");
    await here.page.getByRole("link", { name: /Settings/ }).click();
    await expect(here.page.getByRole("region", { name: "Devices" }).getByRole("listitem")).toHaveCount(1);
  });
}
