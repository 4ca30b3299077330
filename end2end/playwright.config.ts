import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// Each test starts its own server (support/server.ts), so that nothing is shared and everything runs side by side.
export default defineConfig({
  testDir: "tests",
  outputDir: ".output/results",
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 2,
  // Upper bounds that end a test which hangs. A busy machine may take most of them; a passing test waits for events, not for these.
  timeout: 240_000,
  expect: { timeout: 45_000 },
  reporter: [["list"], ["json", { outputFile: ".output/report.json" }]],
  use: { ...browser, screenshot: "only-on-failure", trace: "retain-on-failure" },
});
