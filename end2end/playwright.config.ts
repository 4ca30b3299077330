import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// Each test starts its own server (support/server.ts), so that tests share nothing and run in parallel.
export default defineConfig({
  testDir: "tests",
  outputDir: ".output/results",
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 2,
  // Upper bounds that end a hanging test. A passing test waits for events, but may need most of this time on a busy machine.
  timeout: 240_000,
  expect: { timeout: 45_000 },
  reporter: [["list"], ["json", { outputFile: ".output/report.json" }]],
  use: { ...browser, screenshot: "only-on-failure", trace: "retain-on-failure" },
});
