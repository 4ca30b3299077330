import { ApiUser } from "../support/api-user";
import { measureFrame } from "../support/frame";
import type { Server } from "../support/server";
import { ENGINES, expect, test } from "./test";
import { ENTER, type Size, type Tab } from "./tab";

// A narrow phone, a phone upright and on its side, a laptop.
const SIZES: Size[] = [
  { width: 320, height: 640 },
  { width: 390, height: 844 },
  { width: 844, height: 390 },
  { width: 1280, height: 800 },
];

/** Signs in through the page. */
async function signIn(tab: Tab, url: string, username: string): Promise<void> {
  await tab.open(`${url}/sign-in`);
  await tab.fill("input[autocomplete~=username]", username);
  await tab.fill("input[autocomplete=current-password]", `${username} likes long walks${ENTER}`);
  await tab.until("signed in", () => location.pathname === "/");
  await tab.live();
}

/** Signs up by the API, because only the empty home page of the new user is tested. */
async function signUp(tab: Tab, url: string, username: string): Promise<void> {
  await tab.open(`${url}/sign-up`);
  const fields = { username, display_name: "Nora Newcomer", password: "new in town this year" };
  const status = await tab.evaluate(async (given) => {
    const body = new URLSearchParams(given);
    return (await fetch("/api/sign_up", { method: "POST", headers: { Accept: "application/json" }, body })).status;
  }, fields);
  expect(status, "signed up").toBe(200);
}

async function signOut(tab: Tab): Promise<void> {
  await tab.evaluate(() => fetch("/api/sign_out", { method: "POST", body: new URLSearchParams() }).then(() => undefined));
}

/**
 * Creates many conversations of a user, and returns their addresses. The first ones are at the end of the list, out of sight, and
 * have more unread messages than a screen shows.
 */
async function createConversations(server: Server, to: ApiUser, count: number): Promise<string[]> {
  const conversations: string[] = [];
  const peer = await to.id();
  for (let index = 0; index < count; index += 1) {
    const writer = await ApiUser.create(server, `person${index}`);
    const conversation = await writer.openConversation(peer);
    await to.call("accept_request", { id: conversation });
    for (let line = index < SIZES.length ? 12 : 1; line > 0; line -= 1) await writer.send(conversation, `Line ${line}, with enough words for two lines`);
    conversations.push(`/c/${conversation}`);
  }
  return conversations;
}

/** A state of the page: an address, and actions there. */
interface State {
  name: string;
  path: string;
  enter?: (tab: Tab) => Promise<void>;
}

/** Returns the headers and the composer if they are outside of the window, as sentences. Runs in the page. */
function measureControls(): string[] {
  const offences: string[] = [];
  for (const part of document.querySelectorAll("textarea, main > header, .pane-list > header")) {
    const { top, bottom, height } = part.getBoundingClientRect();
    if (height > 0 && (top < 0 || bottom > innerHeight)) offences.push(`${part.localName} is at ${top} to ${bottom} px in a window of ${innerHeight} px`);
  }
  return offences;
}

async function measure(tab: Tab, name: string, { width, height }: Size): Promise<Set<string>> {
  const offences = [...(await tab.evaluate(measureFrame)), ...(await tab.evaluate(measureControls))];
  return new Set(offences.map((offence) => `${name}, ${width} by ${height}: ${offence}`));
}

/** Shows states in each size, and returns the offences of their frames. */
async function measureResized(tab: Tab, url: string, states: State[]): Promise<string[]> {
  const offences: string[] = [];
  for (const { name, path, enter } of states) {
    await tab.open(url + path);
    await enter?.(tab);
    for (const size of SIZES) {
      await tab.resize(size);
      await tab.painted();
      offences.push(...(await measure(tab, name, size)));
    }
  }
  return offences;
}

/** The same for pages whose frame depends on their first load: each size gets an address that was not opened before. */
async function measureLoaded(tab: Tab, url: string, name: string, paths: string[]): Promise<string[]> {
  const offences: string[] = [];
  for (const [index, size] of SIZES.entries()) {
    await tab.resize(size);
    await tab.open(url + paths[index % paths.length]);
    offences.push(...(await measure(tab, name, size)));
  }
  return offences;
}

async function search(tab: Tab): Promise<void> {
  await tab.fill("input[type=search]", "person");
  await tab.expectShown("[role=option]");
}

async function chooseEmoji(tab: Tab): Promise<void> {
  await tab.evaluate(() => document.querySelector<HTMLElement>(".emoji-button")?.click());
  await tab.expectShown(".emoji-picker [role=option]");
}

for (const engine of ENGINES) {
  test(`${engine}: every page fits every size, hydrates and logs no error`, async ({ server, start }) => {
    const anna = await ApiUser.create(server, "anna");
    const conversations = await createConversations(server, anna, 60);
    const tab = await start(engine);
    const offences = await measureResized(tab, server.url, [
      { name: "sign-in", path: "/sign-in" },
      { name: "sign-up", path: "/sign-up" },
    ]);
    await signUp(tab, server.url, "nora");
    offences.push(...(await measureResized(tab, server.url, [{ name: "an empty home page", path: "/" }])));
    await signOut(tab);
    await signIn(tab, server.url, anna.name);
    offences.push(...(await measureLoaded(tab, server.url, "the list", ["/"])));
    offences.push(...(await measureLoaded(tab, server.url, "a conversation with unread", conversations)));
    offences.push(
      ...(await measureResized(tab, server.url, [
        { name: "the search", path: "/", enter: search },
        { name: "the emoji picker", path: conversations.at(-1) ?? "", enter: chooseEmoji },
        { name: "settings", path: "/settings" },
        { name: "an invitation", path: "/invite" },
        { name: "a page that is not found", path: "/nothing/here" },
      ])),
    );
    expect.soft(offences, "the frame has no offence").toEqual([]);
    expect(await tab.problems(), "the pages log no error").toEqual([]);
  });
}

test("a message written in one engine arrives in the others", async ({ server, alice, bob, conversation, start }) => {
  // If only one engine is installed, it exchanges messages with Chromium only.
  const [first = "", second = first] = ENGINES;
  const tabs = [await start(first), await start(second)] as const;
  const here = await bob.open(conversation, alice);
  await Promise.all(tabs.map(async (tab, index) => signIn(tab, server.url, (index === 0 ? alice : bob).username)));
  for (const tab of tabs) await tab.open(`${server.url}/c/${conversation}`);
  for (const [index, tab] of tabs.entries()) {
    const text = `Written in ${index === 0 ? first : second}, ${index + 1}`;
    await tab.fill("textarea", `${text}${ENTER}`);
    for (const reader of tabs) await reader.expectText(text);
    await expect(here.message(text)).toBeVisible();
  }
  await here.write("Written in Chromium");
  for (const tab of tabs) await tab.expectText("Written in Chromium");
  for (const tab of tabs) expect(await tab.problems(), "the pages log no error").toEqual([]);
});
