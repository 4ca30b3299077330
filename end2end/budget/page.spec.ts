import type { CDPSession, Page } from "@playwright/test";
import { ready } from "../support/pages";
import { fillConversation, type User } from "../support/user";
import { median, percentile } from "../support/statistics";
import { expect, test } from "../support/test";
import { THROTTLED, MachineSpeed } from "../support/machine-speed";
import { within } from "./measure";

const WORDS = "Shall we meet at the harbour after work, or is the café on the corner nearer for you?";

/** Fills a conversation with messages. */
async function fillWithMessages(a: User, b: User, conversation: string, count: number): Promise<void> {
  await fillConversation(conversation, [b, a], Array.from({ length: count }, (_, index) => `${index + 1}. ${WORDS}`));
}

/** Makes the page record when it became live, in milliseconds since its request. */
async function recordLiveTime(page: Page): Promise<void> {
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.documentElement?.dataset.hydrated !== "true") return;
      Object.assign(window, { liveAfter: performance.now() });
      observer.disconnect();
    }).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-hydrated"] });
  });
}

/** The time at which the page became live, in milliseconds since its request. */
async function liveAfter(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { liveAfter: number }).liveAfter);
}

test("the transferred bytes of a conversation page: HTML, CSS, JavaScript and WASM", async ({ alice, bob, conversation }) => {
  await fillWithMessages(alice, bob, conversation, 60);
  const cdp = await alice.context.newCDPSession(alice.page);
  await cdp.send("Network.enable");
  await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
  await recordLiveTime(alice.page);
  const requested = new Map<string, number>();
  const kinds = new Map<string, string>();
  const sizes = new Map<string, number>();
  cdp.on("Network.requestWillBeSent", ({ requestId, wallTime }) => requested.set(requestId, wallTime * 1000));
  cdp.on("Network.responseReceived", ({ requestId, response }) => kinds.set(requestId, response.mimeType));
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  await alice.open(conversation, bob);
  // Excludes code that loads later, which the page does not need at first.
  const live = (await liveAfter(alice.page)) + (await alice.page.evaluate(() => performance.timeOrigin));
  const needed = () => [...kinds].filter(([id, kind]) => /html|css|javascript|wasm/.test(kind) && (requested.get(id) ?? 0) < live);
  await expect.poll(() => needed().every(([id]) => sizes.has(id)), { message: "all files arrived" }).toBe(true);
  const bytes = new Map<string, number>();
  for (const [id, kind] of needed()) bytes.set(kind, (bytes.get(kind) ?? 0) + (sizes.get(id) ?? 0));
  expect(bytes.size, "HTML, CSS, JavaScript and WASM were transferred").toBe(4);
  for (const [kind, size] of bytes) console.log(`      ${kind}: ${(size / 1000).toFixed(1)} kB`);
  // The goal is 250; docs/PERFORMANCE.md explains why it is missed. This bound prevents further growth.
  within("page over the wire", [...bytes.values()].reduce((sum, size) => sum + size) / 1000, 390, "kB");
});

test("the time to the first byte of a conversation page", async ({ alice, bob, conversation, server }) => {
  await fillWithMessages(alice, bob, conversation, 60);
  const cookies = (await alice.context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const times: number[] = [];
  const speed = new MachineSpeed();
  for (let turn = 0; turn < 120; turn += 1) {
    if (turn % 20 === 0) speed.inProcess();
    const requested = performance.now();
    const answer = await fetch(`${server.url}/c/${conversation}`, { headers: { cookie: cookies } });
    times.push(performance.now() - requested);
    expect(await answer.text()).toContain("harbour");
  }
  within("first byte of a conversation's page, median", median(times.slice(20)) / speed.slowness(), 10, "ms");
});

test("the time from the Enter key to the sender's bubble", async ({ alice, bob, conversation }) => {
  await fillWithMessages(alice, bob, conversation, 60);
  const here = await alice.open(conversation, bob);
  await alice.page.evaluate(() => {
    const times: number[] = [];
    Object.assign(window, { bubbleTimes: times });
    let pressed = 0;
    document.addEventListener("keydown", (event) => event.key === "Enter" && (pressed = performance.now()), { capture: true });
    new MutationObserver((changes) => {
      const bubble = changes.some(({ addedNodes }) => [...addedNodes].some((node) => node instanceof Element && node.querySelector("article")));
      if (bubble && pressed > 0) {
        times.push(performance.now() - pressed);
        pressed = 0;
      }
    }).observe(document.querySelector("[role=log]") as Element, { childList: true, subtree: true });
  });
  const speed = new MachineSpeed();
  for (let turn = 0; turn < 30; turn += 1) {
    if (turn % 6 === 0) await speed.inPage(alice.page);
    await here.write(`Turn ${turn}`);
  }
  await here.expectStored("Turn 29");
  const times = await alice.page.evaluate(() => (window as unknown as { bubbleTimes: number[] }).bubbleTimes);
  expect(times.length).toBeGreaterThanOrEqual(25);
  within("key to own bubble, median", median(times) / speed.slowness(), 16, "ms");
});

test("the time to a live page on a processor four times slower", async ({ alice, bob, conversation }) => {
  await fillWithMessages(alice, bob, conversation, 60);
  await recordLiveTime(alice.page);
  const cdp = await alice.context.newCDPSession(alice.page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: THROTTLED });
  const times: number[] = [];
  const speed = new MachineSpeed();
  for (let turn = 0; turn < 7; turn += 1) {
    await alice.open(conversation, bob);
    times.push(await liveAfter(alice.page));
    const wasm = await alice.page.evaluate(
      () => performance.getEntriesByType("resource").find(({ name }) => /\/duet[^/]*\.wasm$/.test(name))?.name,
    );
    await speed.loading(alice.page, wasm as string);
  }
  // The minimum, because other load of the machine only adds to the cost of the page.
  within("address to live page at a quarter of the speed, best of seven", Math.min(...times) / speed.slowness(), 1_500, "ms");
});

async function heapMegabytes(cdp: CDPSession, page: Page): Promise<number> {
  await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize } = await cdp.send("Runtime.getHeapUsage");
  const wasm = await page.evaluate(() => (window as unknown as { wasmMemory?: WebAssembly.Memory }).wasmMemory?.buffer.byteLength ?? 0);
  expect(wasm, "the memory of the WASM was found").toBeGreaterThan(0);
  return (usedSize + wasm) / 1e6;
}

test("the memory after a merge of ten thousand messages", async ({ alice, bob, conversation }) => {
  test.setTimeout(900_000);
  await alice.page.addInitScript(() => {
    const keep = (source: WebAssembly.WebAssemblyInstantiatedSource) => {
      // Lazily loaded code has no memory of its own.
      const { memory } = source.instance.exports;
      if (memory) Object.assign(window, { wasmMemory: memory });
      return source;
    };
    const instantiate = WebAssembly.instantiateStreaming.bind(WebAssembly);
    WebAssembly.instantiateStreaming = (...given) => instantiate(...given).then(keep);
  });
  const here = await alice.open(conversation, bob);
  const cdp = await alice.context.newCDPSession(alice.page);
  const before = await heapMegabytes(cdp, alice.page);
  await fillConversation(conversation, [bob], Array.from({ length: 10_000 }, (_, index) => `${index + 1}. ${WORDS}`));
  // On a busy machine the page may have to reconnect and resync; only the memory is measured here.
  await expect(here.messages.last()).toContainText(/^.*(99\d\d|10000)\. /, { timeout: 300_000 });
  const after = await heapMegabytes(cdp, alice.page);
  console.log(`      before: ${before.toFixed(1)} MB`);
  within("memory after 10,000 merged messages", after, 48, "MB");
});

test("the frame times while three hundred rows scroll", async ({ alice, bob, conversation }) => {
  await fillWithMessages(alice, bob, conversation, 400);
  await alice.apiRead(conversation, 400);
  const here = await alice.open(conversation, bob);
  await expect(async () => {
    await here.log.evaluate((log) => log.scrollBy(0, -20_000));
    expect(await here.messages.count()).toBeGreaterThanOrEqual(300);
  }).toPass();
  // Three runs, because a pause of the machine does not occur in each run.
  const passes: number[][] = [];
  const speed = new MachineSpeed();
  for (let pass = 0; pass < 3; pass += 1) {
    await speed.inPage(alice.page);
    passes.push(
      await here.log.evaluate(async (log) => {
        const frames: number[] = [];
        let last = await new Promise<number>(requestAnimationFrame);
        for (let turn = 0; turn < 160; turn += 1) {
          log.scrollBy(0, turn < 80 ? 90 : -90);
          const now = await new Promise<number>(requestAnimationFrame);
          frames.push(now - last);
          last = now;
        }
        return frames;
      }),
    );
  }
  const best = Math.min(...passes.map((frames) => percentile(frames, 0.95)));
  within("frame while scrolling over 300 rows, 95 of 100", best / speed.slowness(), 17.5, "ms");
  await ready(alice.page);
});
