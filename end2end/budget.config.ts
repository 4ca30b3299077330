import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// The budget of the page. The tests run one after another, because each needs the whole machine.
export default defineConfig({
  testDir: "budget",
  outputDir: ".output/budget",
  workers: 1,
  forbidOnly: !!process.env.CI,
  retries: 0,
  timeout: 400_000,
  reporter: [["list"], ["json", { outputFile: ".output/budget.json" }]],
  use: browser,
});
