// Prints waiting times and layout shifts as a table: `playwright test -c end2end/figures.config.ts`. DUET_BINARY names the build, and
// DUET_BESIDE others (separated by spaces), which are measured in turn with it, so that load of the machine affects all alike.
import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { expect, test } from "@playwright/test";
import { TcpProxy } from "./support/tcp-proxy";
import { ready } from "./support/pages";
import { fillConversation, User } from "./support/user";
import { binary, Server } from "./support/server";
import { median, percentile } from "./support/statistics";

const BUILDS = [...(process.env.DUET_BESIDE?.split(" ") ?? []), binary];
const ROUNDS = Number(process.env.DUET_ROUNDS ?? 5);
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const WORDS = "Shall we meet at the harbour after work, or is the café on the corner nearer for you?";
const OFFLINE = /offline|connecting|no connection|waiting for (the )?network/i;

/** A build with its server, users and conversations. */
interface Setup {
  server: Server;
  anna: User;
  others: User[];
  conversations: string[];
  /** The measured values, by name. */
  figures: Map<string, number[]>;
}

/** The measurements of a page's start, recorded by a script in the page from its first moment. */
interface Start {
  shift: number;
  /** How far the rows of a conversation moved after all were shown: scrolling is visible but no layout shift. */
  jump: number;
  painted: number;
  live: number;
  bytes: number;
}

async function createSetup(program: string, browser: Browser): Promise<Setup> {
  const server = await Server.create({}, program);
  const createUser = async (name: string) => User.create(name, await browser.newContext({ baseURL: server.url }), server);
  const anna = await createUser("Anna Berg");
  const others: User[] = [];
  const conversations: string[] = [];
  for (let index = 0; index < 16; index += 1) {
    const other = await createUser(`Person ${String.fromCharCode(97 + index)}`);
    const conversation = await other.apiConversation(anna);
    await fillConversation(conversation, [other, anna], Array.from({ length: 40 }, (_, index) => `${index + 1}. ${WORDS}`));
    await other.apiSend(conversation, `Said last by ${other.name}`);
    await anna.apiRead(conversation, 41);
    others.push(other);
    conversations.push(conversation);
  }
  return { server, anna, others, conversations, figures: new Map() };
}

function record({ figures }: Setup, name: string, ...values: number[]): void {
  figures.set(name, [...(figures.get(name) ?? []), ...values]);
}

/** Runs in the page. */
function recordStart(): void {
  const start = { shift: 0, live: 0, jump: 0 };
  let initial: number | undefined;
  const check = () => {
    const last = document.readyState === "loading" ? undefined : [...document.querySelectorAll("[role=log] article")].at(-1);
    if (last) {
      const now = last.getBoundingClientRect().bottom;
      initial ??= now;
      start.jump = Math.max(start.jump, Math.abs(now - initial));
    }
    requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
  Object.assign(window, { start });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
      if (!entry.hadRecentInput) start.shift += entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });
  new MutationObserver((_, observer) => {
    if (document.documentElement?.dataset.hydrated !== "true") return;
    start.live = performance.now();
    observer.disconnect();
  }).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-hydrated"] });
}

/** Loads an address in a new browser context. */
async function load(browser: Browser, { server }: Setup, path: string, slower: number, options: BrowserContextOptions): Promise<Start> {
  const context = await browser.newContext({ baseURL: server.url, ...options });
  const page = await context.newPage();
  await page.addInitScript(recordStart);
  const cdp = await context.newCDPSession(page);
  let bytes = 0;
  await cdp.send("Network.enable");
  cdp.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  if (slower > 1) await cdp.send("Emulation.setCPUThrottlingRate", { rate: slower });
  await page.goto(path);
  await ready(page);
  // Includes late shifts.
  await page.waitForTimeout(1_000);
  const { shift, painted, live, jump } = await page.evaluate(() => ({
    ...(window as unknown as { start: { shift: number; live: number; jump: number } }).start,
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
  }));
  await context.close();
  return { shift, jump, painted, live, bytes };
}

let setups: Setup[] = [];

test.describe.configure({ mode: "serial" });

test.beforeAll(async ({ browser }) => {
  setups = [];
  for (const program of BUILDS) setups.push(await createSetup(program, browser));
});

/** Prints the values measured since the last call. */
test.afterEach(() => {
  const names = [...new Set(setups.flatMap(({ figures }) => [...figures.keys()]))];
  const digits = (value: number) => (value < 10 ? value.toFixed(3) : value.toFixed(0));
  const cell = (values: number[] = []) => {
    if (values.length === 0) return "-".padStart(26);
    return [median(values), percentile(values, 0.95), Math.max(...values)].map((value) => digits(value).padStart(8)).join(" ");
  };
  const lines = BUILDS.map((program, index) => `build ${index + 1}: ${program}`);
  lines.push(`${"each: median, p95, worst".padEnd(56)}${BUILDS.map((_, index) => `build ${index + 1}`.padStart(28)).join("")}`);
  for (const name of names) lines.push(`${name.padEnd(56)}${setups.map(({ figures }) => `  ${cell(figures.get(name))}`).join("")}`);
  console.log(`\n${lines.join("\n")}\n`);
  for (const { figures } of setups) figures.clear();
});

test.afterAll(async () => {
  for (const { server } of setups) await server.destroy();
});

test("the cost of a page until it is live", async ({ browser }) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const here of setups) {
      const { anna, conversations, others } = here;
      const account = await anna.context.storageState();
      const pages = { "sign-in": "/sign-in", list: "/", conversation: `/c/${conversations[1]}` };
      for (const [name, path] of Object.entries(pages)) {
        const storageState = name === "sign-in" ? undefined : account;
        for (const slower of [1, 4]) {
          const start = await load(browser, here, path, slower, { ...PHONE, storageState });
          record(here, `${name}, phone, x${slower}: first paint, ms`, start.painted);
          record(here, `${name}, phone, x${slower}: live, ms`, start.live);
          record(here, `${name}, phone, x${slower}: layout shift`, start.shift);
          if (slower === 1) record(here, `${name}: first load, kB`, start.bytes / 1000);
        }
      }
      // The least recent conversation, far down in the list. One earlier visit sets the cookies that a real browser has.
      const conversation = conversations[0] ?? "";
      for (const visit of ["first visit", "another visit"]) {
        await others[0]?.apiSend(conversation, ...Array.from({ length: 10 }, (_, index) => `New ${round}.${index}. ${WORDS}`));
        for (const other of others.slice(1)) await other.apiSend(conversations[others.indexOf(other)] ?? "", "More");
        let storageState = account;
        if (visit === "another visit") {
          const known = await browser.newContext({ baseURL: here.server.url, storageState, ...PHONE });
          const page = await known.newPage();
          await page.goto("/settings");
          await ready(page);
          storageState = await known.storageState();
          await known.close();
        }
        const start = await load(browser, here, `/c/${conversation}`, 4, { ...PHONE, storageState });
        record(here, `unread, phone, x4, ${visit}: layout shift`, start.shift);
        record(here, `unread, phone, x4, ${visit}: rows jump, px`, start.jump);
        if (visit === "another visit") {
          const list = await load(browser, here, "/", 4, { ...PHONE, storageState });
          record(here, "list, phone, x4, another visit: layout shift", list.shift);
        }
      }
    }
  }
});

/** Opens another conversation from the list, and returns how long it took until its rows were painted. */
async function choose(page: Page, conversation: string, words: string): Promise<number> {
  return page.evaluate(
    async ([path = "", wanted = ""]) => {
      const link = document.querySelector<HTMLElement>(`nav a[href="${path}"]`);
      if (!link) throw new Error(`no entry of ${path}`);
      const pressed = performance.now();
      link.click();
      const isThere = () => [...document.querySelectorAll("[role=log] article")].some((row) => row.textContent?.includes(wanted));
      while (!isThere()) await new Promise(requestAnimationFrame);
      await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
      return performance.now() - pressed;
    },
    [`/c/${conversation}`, words],
  );
}

test("switching, typing and sending", async () => {
  for (const here of setups) {
    const { anna, others } = here;
    // The list contains all entries only if they fit.
    await anna.page.setViewportSize({ width: 1280, height: 1600 });
    await others[0]?.apiSend(here.conversations[0] ?? "", "Said last by Person a");
  }
  for (const slower of [1, 4]) {
    for (const here of setups) {
      const { anna, conversations, others } = here;
      await anna.page.goto("/");
      await ready(anna.page);
      const cdp = await anna.context.newCDPSession(anna.page);
      await cdp.send("Emulation.setCPUThrottlingRate", { rate: slower });
      for (const time of ["first time", "again"]) {
        for (const [index, conversation] of conversations.entries()) {
          if (index === 0 || (await anna.page.locator(`nav a[href="/c/${conversation}"]`).count()) === 0) continue;
          record(here, `switch, x${slower}, ${time}, ms`, await choose(anna.page, conversation, `Said last by ${others[index]?.name}`));
        }
      }
      await write(here, slower);
      await cdp.detach();
    }
  }
});

/** Types and sends, and records the time until each change is painted. */
async function write(here: Setup, slower: number): Promise<void> {
  const { anna, conversations } = here;
  const { page } = anna;
  await page.goto(`/c/${conversations[1]}`);
  await ready(page);
  const cdp = await anna.context.newCDPSession(page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: slower });
  await page.evaluate(() => {
    const keys: number[] = [];
    const bubbles: number[] = [];
    Object.assign(window, { keys, bubbles });
    let pressed = 0;
    const painted = (then: () => void) => requestAnimationFrame(() => setTimeout(then));
    document.addEventListener(
      "keydown",
      ({ key }) => {
        const now = performance.now();
        if (key === "Enter") pressed = now;
        else painted(() => keys.push(performance.now() - now));
      },
      { capture: true },
    );
    new MutationObserver((changes) => {
      const isBubble = changes.some(({ addedNodes }) => [...addedNodes].some((node) => node instanceof Element && node.querySelector("article")));
      if (!isBubble || pressed === 0) return;
      const from = pressed;
      pressed = 0;
      painted(() => bubbles.push(performance.now() - from));
    }).observe(document.querySelector("[role=log]") as Element, { childList: true, subtree: true });
  });
  for (let turn = 0; turn < 12; turn += 1) {
    await page.locator("textarea").first().pressSequentially(`Turn ${turn}`, { delay: 40 });
    await page.keyboard.press("Enter");
    await page.waitForTimeout(150);
  }
  const { keys, bubbles } = await page.evaluate(() => {
    const { keys, bubbles } = window as unknown as { keys: number[]; bubbles: number[] };
    return { keys, bubbles };
  });
  record(here, `key to paint, x${slower}, ms`, ...keys);
  record(here, `Enter to own bubble painted, x${slower}, ms`, ...bubbles);
  await cdp.detach();
}

/** The seconds until the page reports that it is offline. */
async function timeUntilOffline(page: Page, since: number): Promise<number> {
  const text = () => page.evaluate(() => document.body.innerText);
  await expect.poll(text, { timeout: 120_000, intervals: [50] }).toMatch(OFFLINE);
  return (performance.now() - since) / 1000;
}

/** A server of this build behind a proxy of its own. */
async function createBehindProxy(program: string): Promise<{ server: Server; proxy: TcpProxy }> {
  const proxy = await TcpProxy.create();
  const server = await Server.create({ DUET_PUBLIC_URL: proxy.url }, program);
  proxy.to(server.url);
  return { server, proxy };
}

test("the time until the page reports that it is offline", async ({ browser }) => {
  for (const here of setups) {
    const { server, proxy } = await createBehindProxy(here.server.binary);
    const createUser = async (name: string) => User.create(name, await browser.newContext({ baseURL: proxy.url }), proxy);
    const [anna, emil] = [await createUser("Anna Berg"), await createUser("Emil Sand")];
    const conversation = await anna.apiConversation(emil);
    const { context, page } = anna;
    const text = () => page.evaluate(() => document.body.innerText);
    for (let round = 0; round < 3; round += 1) {
      await page.goto(`/c/${conversation}`);
      await ready(page);
      // Cutting a connection while it is established would be another case.
      await emil.apiSend(conversation, `Are you there? ${round}`);
      await expect.poll(text).toContain(`Are you there? ${round}`);
      await page.waitForTimeout(1_000);
      expect(await text()).not.toMatch(OFFLINE);

      let since = performance.now();
      await context.setOffline(true);
      record(here, "browser reports offline: time until shown, s", await timeUntilOffline(page, since));
      since = performance.now();
      await context.setOffline(false);
      await expect.poll(text, { timeout: 120_000, intervals: [50] }).not.toMatch(OFFLINE);
      record(here, "back online: time until no longer shown, s", (performance.now() - since) / 1000);
      await emil.apiSend(conversation, `And now? ${round}`);
      await expect.poll(text).toContain(`And now? ${round}`);

      since = performance.now();
      proxy.isSilent = true;
      record(here, "silent connection: time until shown, s", await timeUntilOffline(page, since));
      proxy.isSilent = false;
    }
    for (const person of [anna, emil]) await person.context.close();
    proxy.end();
    await server.destroy();
  }
});
