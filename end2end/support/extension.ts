import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type BrowserContext, chromium, expect, type Page } from "@playwright/test";
import { browser } from "./browser";
import { holdWasm } from "./hold";
import { ready } from "./pages";
import type { Server } from "./server";

/** How an extension changes each page: see `extension/content.js`. */
export type Kind = "beside" | "around" | "comments" | "font" | "removed" | "split" | "joined";
export const KINDS: Kind[] = ["beside", "around", "comments", "font", "removed", "split", "joined"];

/** A browser with a real extension, which changes each page when the browser is idle. */
export class ExtendedBrowser {
  private constructor(
    readonly context: BrowserContext,
    private readonly kind: Kind,
    private readonly profile: string,
  ) {}

  static async start(server: Server, kind: Kind): Promise<ExtendedBrowser> {
    const profile = await mkdtemp(path.join(tmpdir(), "duet-profile-"));
    const extension = path.join(__dirname, "extension");
    const { launchOptions, locale, timezoneId, viewport } = browser;
    const context = await chromium.launchPersistentContext(profile, {
      ...launchOptions,
      args: [
        ...(launchOptions?.args ?? []),
        `--disable-extensions-except=${extension}`,
        `--load-extension=${extension}`,
        "--disable-features=DisableLoadExtensionCommandLineSwitch",
      ],
      ignoreDefaultArgs: ["--disable-extensions"],
      baseURL: server.url,
      locale,
      timezoneId,
      viewport,
    });
    await context.addCookies([{ name: "extension", value: kind, url: server.url }]);
    return new ExtendedBrowser(context, kind, profile);
  }

  /** Opens a page and delays its program until the extension has run and `early` has typed. */
  async load(page: Page, address: string, early: () => Promise<void>): Promise<void> {
    const release = await holdWasm(page);
    await page.goto(address, { waitUntil: "commit" });
    await expect(page.locator("html")).toHaveAttribute("data-extension", this.kind);
    await early();
    await expect(page.locator("html")).not.toHaveAttribute("data-hydrated");
    release();
    await ready(page);
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}
