import type { BrowserContext, Locator, Page } from "@playwright/test";
import { ready } from "../support/pages";
import type { User } from "../support/user";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

interface Recorded {
  notices: { title: string; body: string; tag: string }[];
  /** The number of notifications that the browser accepted. */
  accepted: number;
  notes: number;
  badges: number[];
}

/** Records the notifications, sounds and badges of every page of a browser, and passes them on. */
async function recordNotifications(context: BrowserContext): Promise<void> {
  await context.grantPermissions(["notifications"]);
  await context.addInitScript(() => {
    // Skips the empty page with which a new tab begins.
    if (location.protocol === "about:") return;
    const recorded: Recorded = { notices: [], accepted: 0, notes: 0, badges: [] };
    Object.assign(window, { recorded });
    const show = ServiceWorkerRegistration.prototype.showNotification;
    ServiceWorkerRegistration.prototype.showNotification = function (title, options = {}) {
      recorded.notices.push({ title, body: options.body ?? "", tag: options.tag ?? "" });
      return show.call(this, title, options).then(() => {
        recorded.accepted += 1;
      });
    };
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (when) {
      recorded.notes += 1;
      start.call(this, when);
    };
    Object.assign(navigator, {
      setAppBadge: async (count: number) => {
        recorded.badges.push(count);
      },
    });
  });
}

function recorded(page: Page): Promise<Recorded> {
  return page.evaluate(() => (window as unknown as { recorded: Recorded }).recorded);
}

/**
 * Waits until a page that shows this unread count has decided whether to notify of its messages. A hidden page waits 300 ms for a
 * visible tab and then requests a lock. The timer here starts after the page's and is longer, so it ends later; so does the query.
 */
async function decided(page: Page, unread: number): Promise<void> {
  await expect.poll(async () => (await recorded(page)).badges.at(-1), { message: "the unread count" }).toBe(unread);
  await page.evaluate(async () => {
    await new Promise((done) => setTimeout(done, 1_000));
    await navigator.locks.query();
  });
}

/** Makes the page appear hidden. Headless browsers report every page as visible. */
async function lookAway(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
    document.hasFocus = () => false;
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("blur"));
  });
}

async function lookBack(page: Page): Promise<void> {
  await page.evaluate(() => {
    Reflect.deleteProperty(document, "visibilityState");
    Reflect.deleteProperty(document, "hasFocus");
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("focus"));
  });
}

/** Waits until the service worker can show notifications. */
async function workerActivated(page: Page): Promise<void> {
  // Checks the registration, because a tab that began to load before the worker has no controller until the next load.
  const state = async () => (await navigator.serviceWorker.getRegistration())?.active?.state ?? "none";
  await expect.poll(() => page.evaluate(state)).toBe("activated");
}

function prompt(page: Page): Locator {
  return page.getByRole("status").locator(".prompt-bar", { hasText: "Turn on notifications?" });
}

/** Turns notifications on for this browser. */
async function turnOnNotifications(person: User, choices: Record<string, "on" | "off"> = {}): Promise<void> {
  await recordNotifications(person.context);
  await person.context.addInitScript((choices) => {
    if (location.protocol === "about:") return;
    for (const [name, value] of Object.entries(choices)) localStorage.setItem(`duet:${name}`, value);
  }, { notices: "on", ...choices });
}

test("unread messages are counted in the title, on the tab's icon and on the app's icon", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  const home = await alice.home();
  const { page } = home;
  const icon = page.locator("link[rel=icon]");
  await expect(page).toHaveTitle("Duet");
  await expect(icon).toHaveAttribute("href", "/favicon.svg");
  await bob.apiSend(conversation, "One", "Two");
  await expect(page).toHaveTitle("(2) Duet");
  await expect(icon).toHaveAttribute("href", "/icons/favicon-unread.svg");
  await expect.poll(async () => (await recorded(page)).badges.at(-1)).toBe(2);
  await home.entry(bob.name).click();
  await expect(icon).toHaveAttribute("href", "/favicon.svg");
  await expect.poll(async () => (await recorded(page)).badges.at(-1)).toBe(0);
  const picture = await page.request.get(new URL("/icons/favicon-unread.svg", page.url()).href);
  expect(picture.headers()["content-type"]).toBe("image/svg+xml");
});

test("the prompt for notifications appears when the user returns after a missed message, and never again after a refusal", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  const { page } = await alice.home();
  await expect(prompt(page)).toBeHidden();
  await bob.apiSend(conversation, "You see this arrive");
  await decided(page, 1);
  await expect(page).toHaveTitle(/^\(1\)/);
  await expect(prompt(page)).toBeHidden();
  await lookAway(page);
  await bob.apiSend(conversation, "You miss this");
  await decided(page, 2);
  await expect(prompt(page)).toBeHidden();
  await lookBack(page);
  await expect(prompt(page)).toBeVisible();
  await prompt(page).getByRole("button", { name: "Not now" }).click();
  await expect(prompt(page)).toBeHidden();

  await page.reload();
  await ready(page);
  await lookAway(page);
  await bob.apiSend(conversation, "And this");
  await decided(page, 3);
  await lookBack(page);
  await expect(page).toHaveTitle(/^\(3\)/);
  await expect(prompt(page)).toBeHidden();
  expect((await recorded(page)).notices).toEqual([]);
});

test("an accepted prompt turns notifications on, and a notification closes when its message is read", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  const home = await alice.home();
  const { page } = home;
  await workerActivated(page);
  await lookAway(page);
  await bob.apiSend(conversation, "The first");
  await decided(page, 1);
  await lookBack(page);
  await prompt(page).getByRole("button", { name: "Turn on" }).click();
  await expect(prompt(page)).toBeHidden();
  await lookAway(page);
  await bob.apiSend(conversation, "The second", "The third");
  const notice = (body: string) => ({ title: bob.name, body, tag: conversation });
  await expect.poll(async () => (await recorded(page)).notices).toEqual([notice("The second"), notice("The third")]);
  // Chromium loses a notification that is queried before it is on the screen.
  await expect.poll(async () => (await recorded(page)).accepted).toBe(2);
  const shown = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ body }) => body));
  // One notification for each conversation: a newer one replaces the older.
  await expect.poll(shown).toEqual(["The third"]);
  await lookBack(page);
  await home.entry(bob.name).click();
  await home.expectUnread(bob.name, 0);
  await expect.poll(shown).toEqual([]);
});

test("only one tab shows each notification", async ({ alice, bob, conversation }) => {
  await turnOnNotifications(alice);
  const first = (await alice.home()).page;
  const second = (await alice.home(await alice.tab())).page;
  for (const page of [first, second]) {
    await workerActivated(page);
    await page.mouse.click(5, 5);
    await lookAway(page);
  }
  await bob.apiSend(conversation, "Once is enough");
  const all = async () => {
    const both = await Promise.all([first, second].map(recorded));
    return { notices: both.flatMap(({ notices }) => notices.map(({ body }) => body)), notes: both.reduce((sum, { notes }) => sum + notes, 0) };
  };
  await expect.poll(all).toEqual({ notices: ["Once is enough"], notes: 2 });
  await Promise.all([decided(first, 1), decided(second, 1)]);
  expect(await all()).toEqual({ notices: ["Once is enough"], notes: 2 });
});

test("a conversation that is visible in any tab causes no notification", async ({ alice, bob, createUser, conversation }) => {
  await turnOnNotifications(alice);
  const carol = await createUser("Carol Cole");
  const withCarol = await carol.apiConversation(alice);
  const here = await alice.open(conversation, bob);
  const other = (await alice.home(await alice.tab())).page;
  for (const page of [here.page, other]) await workerActivated(page);
  await lookAway(other);
  await here.page.bringToFront();
  await bob.apiSend(conversation, "Right before your eyes");
  await expect(here.message("Right before your eyes")).toBeVisible();
  await carol.apiSend(withCarol, "Over here");
  const bodies = async () => (await Promise.all([here.page, other].map(recorded))).flatMap(({ notices }) => notices.map(({ body }) => body));
  await expect.poll(bodies).toEqual(["Over here"]);
  await Promise.all([decided(here.page, 1), decided(other, 1)]);
  expect(await bodies()).toEqual(["Over here"]);
  expect((await recorded(here.page)).notes + (await recorded(other)).notes, "no sound while the page is visible").toBe(0);
});

test("with message text turned off, a notification shows only the sender", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  const { page } = await alice.home();
  await page.goto("/settings");
  await ready(page);
  const notices = page.getByRole("switch", { name: "Show notifications" });
  const showText = page.getByRole("switch", { name: "Show message text" });
  await expect(notices).not.toBeChecked();
  await expect(showText).toBeDisabled();
  await notices.check();
  await expect(showText).toBeChecked();
  await showText.uncheck();
  await page.reload();
  await ready(page);
  await expect(notices).toBeChecked();
  await expect(showText).not.toBeChecked();
  await workerActivated(page);
  await lookAway(page);
  await bob.apiSend(conversation, "For your eyes only");
  await expect.poll(async () => (await recorded(page)).notices).toEqual([{ title: bob.name, body: "New message", tag: conversation }]);
});

test("messages that arrived during an outage cause notifications", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  await turnOnNotifications(alice);
  const { page } = await alice.home();
  await workerActivated(page);
  await lookAway(page);
  await alice.context.setOffline(true);
  // An open socket may survive the emulated outage; a restart ends it for good.
  await server.restart();
  await bob.apiSend(conversation, "While you were in a tunnel");
  await alice.context.setOffline(false);
  await expect.poll(async () => (await recorded(page)).notices.map(({ body }) => body)).toEqual(["While you were in a tunnel"]);
});

test("the sound plays only while the page is hidden, if the user has used the page and has not turned the sound off", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  // Each evaluation in the page counts as user activation for the browser.
  await alice.context.addInitScript(() => {
    Object.defineProperty(navigator, "userActivation", { configurable: true, value: { hasBeenActive: false } });
  });
  const { page } = await alice.home();
  const notes = async () => (await recorded(page)).notes;
  let sent = 0;
  const expectNotes = async (count: number, body: string) => {
    await bob.apiSend(conversation, body);
    sent += 1;
    await decided(page, sent);
    await expect.poll(notes, { message: body }).toBe(count);
  };
  await lookAway(page);
  await expectNotes(0, "Before the page was used");
  await lookBack(page);
  await page.evaluate(() => Reflect.deleteProperty(navigator, "userActivation"));
  await page.mouse.click(5, 5);
  await lookAway(page);
  await expectNotes(2, "After the page was used");
  await lookBack(page);
  // In another tab; the first tab receives the change.
  const settings = await alice.tab();
  await settings.goto("/settings");
  await ready(settings);
  await settings.getByRole("switch", { name: "Play a sound" }).uncheck();
  await settings.close();
  await lookAway(page);
  await expectNotes(2, "With the sound off");
  await lookBack(page);
  await expectNotes(2, "In plain sight");
});

test("a browser that blocks notifications shows no prompt, and the settings explain the reason", async ({ alice, bob, conversation }) => {
  await recordNotifications(alice.context);
  await alice.context.addInitScript(() => Object.defineProperty(Notification, "permission", { get: () => "denied" }));
  const { page } = await alice.home();
  await lookAway(page);
  await bob.apiSend(conversation, "Missed");
  await expect(page).toHaveTitle(/^\(1\)/);
  await decided(page, 1);
  await lookBack(page);
  await expect(prompt(page)).toBeHidden();
  await page.goto("/settings");
  await ready(page);
  const notices = page.getByRole("switch", { name: "Show notifications" });
  await expect(notices).toBeDisabled();
  await expect(notices).toHaveAccessibleDescription(/Notifications from Duet are blocked/);
  await expect(page.getByRole("switch", { name: "Play a sound" })).toBeEnabled();
});

test("a permission dialog that is closed without an answer leaves the switch off, and the switch opens it again", async ({ alice }) => {
  await alice.context.addInitScript(() => {
    Object.defineProperty(Notification, "permission", { get: () => "default" });
    Notification.requestPermission = async () => "default";
  });
  const { page } = await alice.home();
  await page.goto("/settings");
  await ready(page);
  const notices = page.getByRole("switch", { name: "Show notifications" });
  for (let turn = 0; turn < 2; turn += 1) {
    await notices.click();
    await expect(notices).not.toBeChecked();
    await expect(notices).toBeEnabled();
  }
});

test("signing out removes notifications and counts", async ({ alice, bob, conversation }) => {
  await turnOnNotifications(alice);
  const home = await alice.home();
  const { page } = home;
  await workerActivated(page);
  await lookAway(page);
  await bob.apiSend(conversation, "Only for Alice");
  await expect.poll(async () => (await recorded(page)).accepted).toBe(1);
  const shown = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).length);
  await expect.poll(shown).toBe(1);
  await lookBack(page);
  await home.signOut();
  await ready(page);
  await expect.poll(shown).toBe(0);
  await expect.poll(async () => (await recorded(page)).badges).toEqual([0]);
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", "/favicon.svg");
});

test("without a service worker the page shows the notification, and a click opens the conversation", async ({ createUser, bob }) => {
  const dora = await createUser("Dora Dale", { serviceWorkers: "block" });
  const conversation = await bob.apiConversation(dora);
  await turnOnNotifications(dora);
  await dora.context.addInitScript(() => {
    const shown: Notification[] = [];
    Object.assign(window, { shown });
    window.Notification = new Proxy(Notification, {
      construct(target, [title, options]: [string, NotificationOptions]) {
        const notice = new target(title, options);
        shown.push(notice);
        return notice;
      },
    });
  });
  const { page } = await dora.home();
  await lookAway(page);
  await bob.apiSend(conversation, "No worker needed");
  const bodies = () => page.evaluate(() => (window as unknown as { shown: Notification[] }).shown.map(({ title, body }) => `${title}: ${body}`));
  await expect.poll(bodies).toEqual([`${bob.name}: No worker needed`]);
  await page.evaluate(() => (window as unknown as { shown: Notification[] }).shown[0]?.dispatchEvent(new Event("click")));
  await page.waitForURL(`**/c/${conversation}`);
});
