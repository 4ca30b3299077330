// Duet's service worker: a page for when there is no network, and the clicks on notifications. It keeps nothing of a
// person and nothing of the application, unless the person wants messages on this device (app/src/live/device.rs): then
// it keeps their page and its code, and shows that where the server cannot be reached. The page registers it
// (app/src/attention/worker.rs) once it is live.

// Raise the number whenever one of the files below changes: the old ones then go.
const CACHE = "duet-offline-2";
const OFFLINE = "/offline.html";
const KEPT = [OFFLINE, "/offline.css", "/offline.js", "/favicon.svg"];
// A person's page, for whoever wants that.
const PAGE = "duet-page";

// Whether the page that was shown last is the kept one: then its code is kept as well.
let isKept = false;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(begin());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  // A form that is posted is the browser's: it knows how to send it again.
  if (request.method !== "GET") return;
  const { pathname } = new URL(request.url);
  if (request.mode === "navigate") {
    event.respondWith(page(event, pathname));
  } else if (KEPT.includes(pathname) || (isKept && pathname.startsWith("/pkg/"))) {
    event.respondWith(fetch(request).catch(() => kept(request.url)));
  }
});

self.addEventListener("message", (event) => {
  event.waitUntil(event.data.length > 0 ? keepPage(event.data) : caches.delete(PAGE));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(KEPT.map((path) => new Request(path, { cache: "reload", credentials: "omit" })));
  await self.skipWaiting();
}

async function begin() {
  for (const name of await caches.keys()) if (name !== CACHE && name !== PAGE) await caches.delete(name);
  // The page is asked for while this worker starts, so that it costs no time.
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

async function page(event, pathname) {
  try {
    const answer = (await event.preloadResponse) ?? (await fetch(event.request));
    isKept = false;
    // Whoever signs in has signed out before, or was.
    if (answer.ok && /^\/sign-(in|up)/.test(pathname)) await caches.delete(PAGE);
    return answer;
  } catch {
    // The page draws itself anew, by its address; the other pages need more than was kept.
    const mine = /^\/(c\/[^/]*)?$/.test(pathname) && (await caches.match("/", { cacheName: PAGE }));
    isKept = Boolean(mine);
    return mine || kept(OFFLINE);
  }
}

async function kept(path) {
  return (await caches.match(path)) ?? Response.error();
}

// Keeps the page as the server renders it now, with its code at these addresses, and nothing else.
async function keepPage(code) {
  const cache = await caches.open(PAGE);
  try {
    const page = await fetch("/");
    if (!page.ok || page.redirected) throw new Error("signed out");
    const headers = new Headers(page.headers);
    for (const name of ["content-encoding", "content-length"]) headers.delete(name);
    const text = (await page.text()).replace("<html", '<html data-kept="true"');
    for (const address of code) if (!(await cache.match(address))) await cache.add(address);
    await cache.put("/", new Response(text, { headers }));
    for (const { url } of await cache.keys()) {
      if (new URL(url).pathname !== "/" && !code.includes(url)) await cache.delete(url);
    }
  } catch {
    // Half of a page is none.
    await caches.delete(PAGE);
  }
}

// Brings a conversation to the front: in a tab that is open, else in a new one.
async function show(path) {
  // Also those that began to load before this worker, or were loaded around it: they are open all the same.
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find(({ url }) => /^\/(c\/[^/]*|settings)?$/.test(new URL(url).pathname));
  if (!tab) return self.clients.openWindow(path);
  tab.postMessage({ open: path });
  return tab.focus();
}
