// Duet's service worker: the offline page, and clicks on notifications. It caches no data of a user and no part of the
// application, unless the user stores messages on this device (app/src/live/offline_copies.rs). Then it caches the
// user's page with its code, and serves the page when the server is unreachable. The page registers this worker
// (app/src/notifications/worker.rs) after hydration.

// Increase the number when one of the files below changes; activation deletes older caches.
const CACHE = "duet-offline-3";
const OFFLINE = "/offline.html";
const KEPT = [OFFLINE, "/offline.css", "/offline.js", "/favicon.svg"];
// The cache of a user's page, if the user stores messages on this device.
const PAGE = "duet-page";

// Whether the last page came from the cache; its code is then served from the cache as well.
let isKept = false;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(begin());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  // POST requests are left to the browser, which can resubmit a form.
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
  // An earlier version enabled the preload. WebKit then answers some navigations with the policy of another request, which
  // refuses the scripts of the page.
  await self.registration.navigationPreload?.disable();
  await self.clients.claim();
}

async function page(event, pathname) {
  try {
    const answer = await fetch(event.request);
    isKept = false;
    // Signing in follows a sign-out or the end of a session, so the cached page is out of date.
    if (answer.ok && /^\/sign-(in|up)/.test(pathname)) event.waitUntil(caches.delete(PAGE));
    return answer;
  } catch {
    // The cached page renders itself by its address. Other pages need data that is not cached.
    const mine = /^\/(c\/[^/]*)?$/.test(pathname) && (await caches.match("/", { cacheName: PAGE }));
    isKept = Boolean(mine);
    return mine || kept(OFFLINE);
  }
}

async function kept(path) {
  return (await caches.match(path)) ?? Response.error();
}

// Caches the page as the server renders it now, with its code at these addresses; removes all other entries.
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
    // An incomplete page is useless.
    await caches.delete(PAGE);
  }
}

// Opens a conversation in an existing tab if there is one, else in a new tab.
async function show(path) {
  // Includes tabs that this worker does not control, such as those that loaded before its activation.
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find(({ url }) => /^\/(c\/[^/]*|settings)?$/.test(new URL(url).pathname));
  if (!tab) return self.clients.openWindow(path);
  tab.postMessage({ open: path });
  return tab.focus();
}
