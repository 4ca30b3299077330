import { defineConfig } from "@playwright/test";
import { browser } from "./support/browser";

// `make screens`: takes the pictures in docs/screens. Not a test.
export default defineConfig({
  testDir: ".",
  testMatch: "screens.ts",
  outputDir: ".output/screens",
  workers: 2,
  fullyParallel: true,
  reporter: "list",
  use: browser,
});
