import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// Waiting times and layout shifts of one build, or of several in turn. Not a test.
export default defineConfig({
  testDir: ".",
  testMatch: "figures.ts",
  outputDir: ".output/figures",
  workers: 1,
  timeout: 1_800_000,
  reporter: "list",
  use: browser,
});
