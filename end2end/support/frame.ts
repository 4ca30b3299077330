import { expect, type Page } from "@playwright/test";
import { painted } from "./painting";

/** From the narrowest phone to a wide desk, and a phone on its side. */
export const SIZES = [
  { width: 320, height: 640 },
  { width: 390, height: 844 },
  { width: 844, height: 390 },
  { width: 1280, height: 800 },
  { width: 2560, height: 1440 },
];

/**
 * Returns the offences of a page's frame as sentences; a frame that does not move has none. Runs in the page, in any browser and
 * through any driver, so it uses no outer variables.
 */
export function measureFrame(): string[] {
  const offences: string[] = [];
  const root = document.scrollingElement ?? document.documentElement;
  const name = (element: Element) => `${element.localName}.${element.classList[0] ?? ""}${element.id && `#${element.id}`}`;
  const beyond = (what: string, length: number, room: number) => {
    if (length > room) offences.push(`${what} is ${length} px in a window of ${room} px`);
  };
  beyond("the height of the document", root.scrollHeight, innerHeight);
  beyond("the width of the document", root.scrollWidth, innerWidth);
  // A browser scrolls elements into view even if the styles prevent scrolling by wheel.
  const before = [scrollX, scrollY] as const;
  if (before[0] !== 0 || before[1] !== 0) offences.push(`the window is scrolled to ${before.join(", ")}`);
  scrollTo(50, 50);
  if (scrollX !== 0 || scrollY !== 0) offences.push(`the window can be scrolled to ${scrollX}, ${scrollY}`);
  scrollTo(...before);

  const scrolls = (element: Element) => /auto|scroll/.test(getComputedStyle(element).overflowY);
  const scrollerOf = (element: Element) => {
    let outer = element.parentElement;
    while (outer && outer !== document.body && !scrolls(outer)) outer = outer.parentElement;
    return outer === document.body || outer === document.documentElement ? null : outer;
  };
  for (const element of document.body.querySelectorAll<HTMLElement>("*")) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (style.display === "none" || (box.width === 0 && box.height === 0)) continue;
    if (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth) {
      offences.push(`${name(element)} scrolls sideways: ${element.scrollWidth} px in ${element.clientWidth} px`);
    }
    const isUnseen = style.position === "absolute" && box.width <= 1 && box.height <= 1 && style.overflow === "hidden";
    // A hidden element inside another hidden element is clipped by the outer element.
    if (!isUnseen || element.parentElement?.closest(".sr-only")) continue;
    const scroller = scrollerOf(element);
    const inside = `"${element.textContent?.trim().slice(0, 20)}" for screen readers in ${name(element.parentElement ?? element)}`;
    if (!scroller) {
      const seen = box.left >= -2 && box.right <= innerWidth + 2 && box.top >= -2 && box.bottom <= innerHeight + 2;
      if (!seen) offences.push(`${inside} lies outside of the window`);
      continue;
    }
    // Positioned by an element outside of its pane, it does not scroll with the pane, and enlarges the outer element.
    if (!element.offsetParent || !scroller.contains(element.offsetParent)) offences.push(`${inside} is not placed by its pane, ${name(scroller)}`);
    const pane = scroller.getBoundingClientRect();
    if (box.left < pane.left - 2 || box.right > pane.right + 2) offences.push(`${inside} lies beside its pane, ${name(scroller)}`);
  }
  return offences;
}

/** Asserts that the frame has no offence in this state of the page. */
export async function expectFrame(page: Page, state: string): Promise<void> {
  expect(await page.evaluate(measureFrame), state).toEqual([]);
}

/** The same in every size. */
export async function expectFrameInEverySize(page: Page, state: string, sizes = SIZES): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size);
    await painted(page);
    await expectFrame(page, `${state}, ${size.width} by ${size.height}`);
  }
}

/** Asserts that a wheel over an element does not move the window. */
export async function expectWheelMovesNothing(page: Page, selector: string): Promise<void> {
  const box = await page.locator(selector).first().boundingBox();
  if (!box) throw new Error(`${selector} is not shown`);
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  for (const distance of [600, -600]) {
    await page.mouse.wheel(0, distance);
    await painted(page);
    expect(await page.evaluate(() => [scrollX, scrollY]), `a wheel over ${selector}`).toEqual([0, 0]);
  }
}
