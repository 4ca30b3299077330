import type { BrowserContext } from "@playwright/test";

/** Delays the WebAssembly program until the returned function is called. */
export async function holdWasm(context: BrowserContext): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await context.route(/\.wasm(\?|$)/, async (route) => {
    await released;
    await route.continue();
  });
  return () => release();
}
