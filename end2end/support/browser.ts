import { existsSync } from "node:fs";
import type { PlaywrightTestOptions, PlaywrightWorkerOptions } from "@playwright/test";

// Debian's Chromium where it is installed, else the one that Playwright downloads.
const chromium = "/usr/bin/chromium";

// The language and time zone differ from the server's, so that a page that mixes them up fails to hydrate.
export const browser: Partial<PlaywrightTestOptions & PlaywrightWorkerOptions> = {
  browserName: "chromium",
  locale: "en-GB",
  timezoneId: "Asia/Kolkata",
  viewport: { width: 1280, height: 800 },
  launchOptions: {
    executablePath: existsSync(chromium) ? chromium : undefined,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
};
