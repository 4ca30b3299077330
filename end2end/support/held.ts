import type { BrowserContext } from "@playwright/test";

/** Holds the page's program back until the returned function is called. */
export async function holdWasm(context: BrowserContext): Promise<() => void> {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  await context.route(/\.wasm(\?|$)/, async (route) => {
    await arrived;
    await route.continue();
  });
  return () => arrive();
}
