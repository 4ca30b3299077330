import type { Page } from "@playwright/test";
import { type ConversationPage, ariaSnapshot } from "../support/pages";
import { expect, test } from "../support/test";

/** Selects from one message to another, copies, and returns the content of the clipboard. */
async function copied(here: ConversationPage, from: string, to: string): Promise<string> {
  await here.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await here.page.evaluate(
    ([from, to]) => {
      const bodies = [...document.querySelectorAll(".body")];
      const find = (text?: string) => bodies.map((body) => body.firstChild).find((words) => words?.textContent === text);
      const [first, last] = [find(from), find(to)];
      if (first && last) getSelection()?.setBaseAndExtent(first, 0, last, last.textContent?.length ?? 0);
    },
    [from, to],
  );
  await here.page.keyboard.press("ControlOrMeta+c");
  return here.page.evaluate(() => navigator.clipboard.readText());
}

test("selected messages are copied as their texts alone", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "First of Bob's", "Second,\nin two lines");
  const here = await alice.open(conversation, bob);
  await here.write("Alice's answer");
  await here.expectStored("Alice's answer");
  await bob.apiSend(conversation, "Bob's last");
  await expect(here.message("Bob's last")).toBeVisible();
  const text = await copied(here, "First of Bob's", "Bob's last");
  expect(text.split(/\n+/)).toEqual(["First of Bob's", "Second,", "in two lines", "Alice's answer", "Bob's last"]);
  expect(await copied(here, "Alice's answer", "Alice's answer")).toBe("Alice's answer");
});

test("the whole conversation can be printed and is readable on paper", async ({ alice, bob, conversation }) => {
  const bodies = Array.from({ length: 45 }, (_, index) => `Line ${index + 1} of a long conversation.`);
  const long = `${"A very long one. ".repeat(120)}The end of it.`;
  await bob.apiSend(conversation, ...bodies, long);
  const here = await alice.open(conversation, bob);
  const { page } = here;
  await expect(here.message("The end of it.")).toBeVisible();
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const shown = await page.evaluate(() => {
    const hidden = (selector: string) => [...document.querySelectorAll(selector)].every((part) => part.getClientRects().length === 0);
    const cut = [...document.querySelectorAll("html, body, body *")].filter((part) => {
      const style = getComputedStyle(part);
      const clips = style.overflowY !== "visible" && !part.matches(".sr-only, .sr-only *");
      return clips && part.scrollHeight > part.clientHeight + 1 && part.getClientRects().length > 0;
    });
    const first = document.querySelector("article")?.getBoundingClientRect();
    const articles = [...document.querySelectorAll("article")];
    return {
      cut: cut.map((part) => part.className),
      height: document.documentElement.scrollHeight,
      last: Math.max(...articles.map((article) => article.getBoundingClientRect().bottom)),
      top: first?.top ?? -1,
      hidden: hidden(".pane-list, .composer-frame, .banners, .jump, .fold, .day-chip"),
      dark: getComputedStyle(document.body).color,
    };
  });
  expect(shown.cut).toEqual([]);
  expect(shown.hidden).toBe(true);
  expect(shown.top).toBeGreaterThan(0);
  expect(shown.last).toBeGreaterThan(2_000);
  expect(shown.height).toBeGreaterThanOrEqual(Math.floor(shown.last));
  const paper = await page.pdf({ format: "A5" });
  expect(paper.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0).toBeGreaterThan(2);
});

/** Replaces all text nodes of the page by elements, as a translator does. */
async function translate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walker.nextNode()) texts.push(walker.currentNode as Text);
    for (const text of texts) {
      if (!text.data.trim() || text.parentElement?.closest("script, style, noscript, textarea, [translate=no]")) continue;
      const outer = document.createElement("font");
      const inner = document.createElement("font");
      inner.textContent = text.data;
      outer.append(inner);
      text.replaceWith(outer);
    }
  });
}

test("a page that a translator changed shows current texts", async ({ alice, bob, conversation }) => {
  const here = await alice.open(conversation, bob);
  await here.write("Is this translated?");
  await here.expectState("Is this translated?", "sent");
  const header = here.page.locator(".conversation-header");
  await translate(here.page);
  const bobHere = await bob.open(conversation, alice);
  await here.expectState("Is this translated?", "read");
  expect(await ariaSnapshot(here.message("Is this translated?"))).not.toMatch(/\b(sent|delivered)\b/);
  await expect(header).toContainText("online");
  await translate(here.page);
  await bobHere.box.pressSequentially("x");
  await expect(header).toContainText("typing");
  await expect(header).not.toContainText("online");
  await bobHere.box.fill("");
  await expect(header).toContainText("online");
  await expect(header).not.toContainText("typing");
});

test("the tab icon is set once when its state changes, and its files are cached", async ({ alice, bob, conversation, server }) => {
  const home = await alice.home();
  const icon = home.page.locator("link[rel=icon]");
  await home.page.evaluate(() => {
    const link = document.querySelector("link[rel=icon]");
    Object.assign(window, { sets: 0 });
    if (link) new MutationObserver((changes) => ((window as unknown as { sets: number }).sets += changes.length)).observe(link, { attributes: true });
  });
  await bob.apiSend(conversation, "One", "Two", "Three", "Four");
  await home.expectUnread(bob.name, 4);
  await expect(icon).toHaveAttribute("href", "/icons/favicon-unread.svg");
  expect(await home.page.evaluate(() => (window as unknown as { sets: number }).sets)).toBe(1);
  // The browser caches both icons.
  for (const path of ["/favicon.svg", "/icons/favicon-unread.svg"]) {
    const answer = await home.page.request.get(server.url + path);
    expect(answer.headers()["cache-control"]).toMatch(/max-age=\d{4,}/);
  }
});
