import type { Page } from "@playwright/test";

/**
 * Starts recording the texts that appear in the elements of a selector, because a text that is shown for a second or two may be
 * gone before a test on a busy machine looks. The returned function returns the texts so far.
 */
export async function recordAppearances(page: Page, selector: string): Promise<() => Promise<string[]>> {
  await page.evaluate((selector) => {
    const appearances: string[] = [];
    Object.assign(window, { appearances });
    const shown = () => {
      const elements = [...document.querySelectorAll(selector)].filter((element) => element.getClientRects().length > 0);
      return new Set(elements.map((element) => element.textContent?.trim() ?? "").filter((text) => text !== ""));
    };
    let before = shown();
    const note = () => {
      const now = shown();
      for (const text of now) if (!before.has(text)) appearances.push(text);
      before = now;
    };
    new MutationObserver(note).observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
  }, selector);
  return () => page.evaluate(() => (window as unknown as { appearances: string[] }).appearances);
}
