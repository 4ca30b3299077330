import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// The pages in Firefox and WebKit, as the system's packages have them: Playwright drives only builds of its own. Chromium is there
// for the people at the other end.
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
