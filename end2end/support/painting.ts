import type { Locator, Page } from "@playwright/test";

/** Waits until the page has painted its current state. A new size of the window, for example, takes effect in the next frame. */
export async function painted(page: Page): Promise<void> {
  await page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
}

/**
 * Waits until a part of the page has not moved for ten frames, and returns its distance from the top of the window. Counts frames
 * instead of time, because a busy machine paints an animation late.
 */
export async function steadyTop(part: Locator): Promise<number> {
  return part.evaluate(async (element) => {
    let top = element.getBoundingClientRect().top;
    for (let still = 0; still < 10; still += 1) {
      await new Promise(requestAnimationFrame);
      const now = element.getBoundingClientRect().top;
      if (now !== top) still = -1;
      top = now;
    }
    return top;
  });
}
