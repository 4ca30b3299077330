import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// What the page may cost. One after the other, because each measures the machine it has for itself.
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
