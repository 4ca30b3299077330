import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// The pages in the system's packages of Firefox and WebKit, because Playwright drives only its own builds. Chromium is used
// for the other users.
export default defineConfig({
  testDir: "engines",
  outputDir: ".output/engines",
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 2,
  timeout: 480_000,
  expect: { timeout: 45_000 },
  reporter: [["list"], ["json", { outputFile: ".output/engines.json" }]],
  use: browser,
});
