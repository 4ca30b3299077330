import type { BrowserContext, Page } from "@playwright/test";

/** Delays the requests whose URL matches until the returned function is called. */
export async function hold(owner: Page | BrowserContext, url: string | RegExp): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await owner.route(url, async (route) => {
    await released;
    await route.continue();
  });
  return () => release();
}

/** Delays the WebAssembly program until the returned function is called. */
export async function holdWasm(owner: Page | BrowserContext): Promise<() => void> {
  return hold(owner, /\.wasm(\?|$)/);
}
