// Everything a page does before and without WebAssembly, except for the focus (page_focus.js). Inline at the end of
// each page (app/src/document.rs); the program calls `duetPage` (app/src/browser/page_script.rs). The server strips
// lines that begin with two slashes.
(() => {
  const html = document.documentElement;
  const root = document.getElementById("app");
  if (!root) return;
  const build = document.querySelector("meta[name=build]")?.content;
  const KEY = "duet-start";
  const MINUTE = 60_000;

  // The server refuses requests from a page under a foreign address, unless a proxy rewrites the address correctly. The
  // page sends a request to find out.
  const addresses = document.querySelector("meta[name=addresses]")?.content.split(" ") ?? [];
  const notice = document.getElementById("wrong-address");
  let asked;
  if (notice && addresses[0] && !addresses.includes(location.origin)) {
    const call = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    asked = fetch("/api/get_settings", call).then(({ status }) => {
      if (status !== 403) return;
      notice.querySelector("a").href = addresses[0] + location.pathname + location.search;
      notice.hidden = false;
      html.dataset.wrongAddress = "true";
    }, () => {});
  }

  // Values from which the server formats times (app/src/time/conventions.rs).
  let zone;
  try {
    const { timeZone, hourCycle, locale } = new Intl.DateTimeFormat([], { hour: "numeric" }).resolvedOptions();
    zone = timeZone;
    const clock = `duet-clock=${zone}.${hourCycle}.${locale}`;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    if (!document.cookie.split("; ").includes(clock)) {
      document.cookie = `${clock}; Path=/; SameSite=Lax; Max-Age=31536000${secure}`;
    }
  } catch {}

  // Restores the scroll position in a conversation before the first paint. The program takes over
  // (app/src/components/scroll.rs).
  const log = root.querySelector(".timeline");
  const put = (element, from) => {
    if (!element) return;
    log.scrollTop += element.getBoundingClientRect().top - log.getBoundingClientRect().top - from;
    log.dataset.placed = log.scrollTop < -log.clientHeight ? "away" : "here";
  };
  const row = (seq) => log.querySelector(`[data-seq="${+seq}"]`);
  if (log) {
    const linked = row(new URLSearchParams(location.search).get("m"));
    const divider = log.querySelector(".unread-divider");
    let left = "";
    try {
      const me = root.querySelector(".composer [name=for]").value;
      left = sessionStorage.getItem(`duet:${me}:place:${location.pathname.slice(3)}`) ?? "";
    } catch {}
    const [seq, last, offset] = left.split(" ");
    // Messages that arrived since the user left take precedence over the old position.
    const isOld = divider && +[...log.querySelectorAll("[data-seq]")].pop().dataset.seq > last;
    if (linked) put(linked, (log.clientHeight - linked.offsetHeight) / 2);
    else if (left && !isOld) put(row(seq)?.querySelector("article"), offset / 64);
    else put(divider, 0);
    root.addEventListener("click", ({ target }) => {
      if (isWaiting() && target.closest(".jump")) log.scrollTop = 0;
    });
  }

  // The account was deleted by a form, without the program.
  const gone = document.cookie.match(/(?:^|; )duet-forget=([\w-]+)/)?.[1];
  if (gone) {
    try {
      for (const storage of [localStorage, sessionStorage]) {
        for (const key of Object.keys(storage)) if (key.startsWith(`duet:${gone}:`)) storage.removeItem(key);
      }
      // Tells the other tabs, as app/src/live/storage.rs does.
      localStorage.setItem("duet:deleted", gone);
      localStorage.removeItem("duet:deleted");
    } catch {}
    document.cookie = "duet-forget=; Path=/; Max-Age=0";
  }

  // The start mode that an earlier load of this tab chose, and the text typed then. Another build starts afresh, and so
  // does a user who reloads a plain page.
  let earlier = {};
  try {
    earlier = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    const again = earlier.mode === "plain" && performance.getEntriesByType("navigation")[0]?.type === "reload";
    if (earlier.build !== build || again) earlier = { fields: earlier.fields };
    if (earlier.fields) sessionStorage.setItem(KEY, JSON.stringify({ ...earlier, fields: undefined }));
  } catch {}
  // A page cached by the service worker (public/sw.js) is also served for other addresses, so it cannot be hydrated.
  let mode = earlier.mode ?? (html.dataset.kept ? "draw" : "");
  let failed = false;

  // Records every change of elements and texts since the page was parsed, so that it can be undone.
  let changes = [];
  const watcher = new MutationObserver((records) => (changes = changes.concat(records)));
  watcher.observe(root, { childList: true, characterDataOldValue: true, subtree: true });
  // Foreign elements and their positions, to be put back after hydration.
  let guests = [];

  const undo = () => {
    changes = changes.concat(watcher.takeRecords());
    watcher.disconnect();
    const active = document.activeElement;
    const elements = new Set();
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node.nodeType === 1 && root.contains(node)) elements.add(node);
    }
    const places = [...elements].map((node) => {
      let next = node.nextSibling;
      while (elements.has(next)) next = next.nextSibling;
      return [node, node.parentNode, next];
    });
    for (const { target, addedNodes, removedNodes, nextSibling, oldValue } of changes.reverse()) {
      if (oldValue !== null) target.data = oldValue;
      for (const node of addedNodes) if (node.parentNode === target) node.remove();
      for (const node of removedNodes) target.insertBefore(node, nextSibling?.parentNode === target ? nextSibling : null);
    }
    // Where an own node was removed or a text was split, the foreign element replaces it and must not be put back.
    const emptied = new Set();
    for (const { target, addedNodes, removedNodes, oldValue } of changes) {
      if (oldValue !== null) emptied.add(target.parentNode);
      for (const node of removedNodes) if (root.contains(node)) emptied.add(target);
      for (const node of addedNodes) if (node.nodeType === 3) emptied.add(target);
    }
    guests = places.filter(([node, parent]) => !root.contains(node) && root.contains(parent) && !emptied.has(parent));
    if (active !== document.activeElement && root.contains(active)) active.focus({ preventScroll: true });
  };

  // The same hash that app/src/structure.rs computes from the HTML.
  const structure = () => {
    let hash = 0x811c9dc5;
    const add = (text) => {
      for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    };
    const walk = (parent) => {
      for (let node = parent.firstChild; node; node = node.nextSibling) {
        if (node.nodeType !== 1) {
          add(node.nodeType === 8 ? "!" : "t");
          continue;
        }
        add("<" + node.localName);
        if (!/^(noscript|script|style|template|textarea)$/.test(node.localName)) walk(node);
        add(">");
      }
    };
    walk(root);
    return (hash >>> 0).toString(16);
  };
  const isAsSent = () => document.querySelector("meta[name=structure]")?.content === structure();

  const nameOf = (field) => [field.form?.getAttribute("action"), field.type, field.name].join(" ");
  const fields = () => [...root.querySelectorAll("input:not([type=hidden]), textarea, select")];
  const isChoice = (field) => field.type === "checkbox" || field.type === "radio";
  // The program sets choices that the user did not touch.
  const isTouched = (field) =>
    isChoice(field) ? field.checked !== field.defaultChecked : field.value || field.defaultValue;
  const typed = () =>
    fields()
      .filter((field) => field === document.activeElement || isTouched(field))
      .map((field) => ({
        name: nameOf(field),
        value: field.value,
        checked: field.checked,
        chosen: isChoice(field) && isTouched(field) && (field.checked || field.type === "checkbox"),
        secret: /password/.test(field.autocomplete),
        active: field === document.activeElement,
      }));
  let kept = earlier.fields ?? [];
  // The draft stored by a crashed program may be older than the text in its field.
  const died = kept.length > 0;
  const restore = () => {
    for (const { name, value, checked, chosen, active } of kept) {
      for (const field of fields()) {
        if (nameOf(field) !== name) continue;
        if (isChoice(field)) {
          // The program has not received this event yet.
          if (field.value === value && chosen) {
            field.checked = checked;
            field.dispatchEvent(new Event("change", { bubbles: true }));
          }
        } else if (field.value !== value && !(mode === "hydrate" && field.value)) {
          // A hydrating program keeps stored values such as a draft. Text that it dropped is entered again.
          const both = !died && field.localName === "textarea" && field.value && !value.includes(field.value);
          field.value = both ? field.value + "\n\n" + value : value;
          field.dispatchEvent(new Event("input", { bubbles: true }));
        }
        if (active) field.focus({ preventScroll: true });
      }
    }
    kept = [];
  };
  restore();

  // Translation tools replace a text node by a `font` element. When the program then changes the detached text, the
  // change would be invisible. The text node is therefore put back, to be translated again.
  const translations = new WeakMap();
  const texts = new MutationObserver((records) => {
    for (const { target, addedNodes, removedNodes, previousSibling, nextSibling } of records) {
      const translation = translations.get(target);
      if (translation?.isConnected) translation.replaceWith(target);
      for (const text of removedNodes) {
        if (text.nodeType !== 3 || text.isConnected) continue;
        const font = [...addedNodes, previousSibling, nextSibling].find((node) => node?.localName === "font");
        if (!font) continue;
        translations.set(text, font);
        texts.observe(text, { characterData: true });
      }
    }
  });

  // Sending before the program is live: Enter follows the same rule as in app/src/components/composer.rs. Text typed
  // while the form is being sent is moved to the next page. Sending the same text again is harmless.
  const isWaiting = () => !html.dataset.start || html.dataset.start === "plain";
  let sent;
  addEventListener("keydown", (event) => {
    const { target, key, shiftKey, altKey, ctrlKey, metaKey } = event;
    if (!isWaiting() || key !== "Enter" || !target.matches?.(".composer textarea") || event.defaultPrevented) return;
    if (shiftKey || altKey || event.isComposing || event.keyCode === 229) return;
    if (!ctrlKey && !metaKey && matchMedia("(hover: none) and (pointer: coarse)").matches) return;
    event.preventDefault();
    if (target.value.trim()) target.form.requestSubmit();
  });
  addEventListener("submit", (event) => {
    if (!isWaiting() || !event.target.matches(".composer")) return;
    const { value } = event.target.elements.body;
    sent ??= value;
    if (value !== sent) event.preventDefault();
  });
  addEventListener("pagehide", () => {
    const field = root.querySelector(".composer textarea");
    if (sent === undefined || !field) return;
    const value = field.value.startsWith(sent) ? field.value.slice(sent.length).trimStart() : field.value;
    try {
      if (value) sessionStorage.setItem(KEY, JSON.stringify({ build, fields: [{ name: nameOf(field), value, active: true }] }));
    } catch {}
  });

  // Sign-out before the program is live, or without it. Removes all data of the user from the storage, except unsent
  // text that the user wants to keep.
  addEventListener("submit", ({ target }) => {
    const question = target.dataset.ask;
    if (!question || html.dataset.hydrated) return;
    try {
      const mine = Object.keys(localStorage).filter((key) => key.startsWith(`duet:${target.elements.for.value}:`));
      const unsent = mine.filter((key) => /:(draft|outbox):/.test(key));
      const all = unsent.length === 0 || confirm(question);
      for (const key of mine) if (all || !unsent.includes(key)) localStorage.removeItem(key);
    } catch {}
  });

  // Safari applies `:active` on touch only if a touch listener exists.
  document.addEventListener("touchstart", () => {}, { passive: true });

  // On narrow screens a page covers the list. Opening another conversation replaces the history entry, and the link
  // back removes it, so that the system's Back button does not return to it. A link marked as the way back does the
  // same on every screen.
  const push = history.pushState.bind(history);
  const isUponList = () => location.pathname !== "/" && matchMedia("(width < 48rem)").matches;
  history.pushState = (state, title, url) => {
    if (!url) return push(state, title);
    const { pathname } = new URL(url, location);
    const from = state ?? { from: location.pathname };
    // Navigation from an open layer replaces the layer's history entry.
    if (history.state === "layer") history.replaceState(from, title, url);
    else if (isUponList() && pathname === "/") history.replaceState(null, title, url);
    else if (isUponList() && /^\/c\/[^/]+$/.test(pathname)) history.replaceState(history.state, title, url);
    else push(from, title, url);
  };
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link?.origin !== location.origin || link.pathname !== history.state?.from) return;
    if (!isUponList() && !("back" in link.dataset)) return;
    if (!html.dataset.hydrated || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.back();
  });

  // Kept until the program shows its own install prompt (app/src/notifications/install.rs).
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    duetPage.install = event;
  });

  // Turns the page into the version for browsers without scripts: native forms, and the content of `noscript`.
  const plain = () => {
    html.dataset.start = "plain";
    delete html.dataset.hydrated;
    for (const element of root.querySelectorAll("noscript")) element.outerHTML = element.textContent;
  };

  // The program has crashed: reload the page and render it from scratch. If such a page crashes before it is live, or
  // within a minute of the last crash, the next load is plain, so reloads do not loop.
  const fail = () => {
    if (failed || html.dataset.start === "plain") return;
    failed = true;
    const live = html.dataset.hydrated;
    delete html.dataset.hydrated;
    const now = Date.now();
    const next = mode !== "draw" || (live && !(now - earlier.at < MINUTE)) ? "draw" : "plain";
    const found = typed().filter((field) => !field.secret);
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ mode: next, at: now, build, fields: found }));
      // `replace` never repeats a form submission. The fragment is dropped, because with it the page would not load
      // again.
      location.replace(location.pathname + location.search);
    } catch {
      // Nothing can be stored for a reload. Handlers left by the program must not block the native forms.
      for (const event of ["submit", "click", "keydown", "input", "change"]) {
        addEventListener(event, (told) => told.stopImmediatePropagation(), true);
      }
      plain();
    }
  };

  // Whether an error ended the program: its stack passes through the program's code, and that code is no longer
  // running. An exception in a foreign listener, thrown while the program dispatches an event, is harmless.
  const scripts = (error) => String(error?.stack).match(/[\w-]+:\/\/[^\s)]+/g) ?? [];
  const isOurs = (script) => script.startsWith(location.origin + "/pkg/");
  const hasEnded = (error) => {
    const through = scripts(error);
    // Some browsers give no script addresses in the stack.
    if (through.length === 0) return error instanceof WebAssembly.RuntimeError;
    return through.some(isOurs) && !scripts(new Error()).some(isOurs);
  };
  addEventListener("error", ({ error }) => {
    if (hasEnded(error)) fail();
  });
  addEventListener("unhandledrejection", ({ reason }) => {
    if (reason instanceof WebAssembly.RuntimeError && hasEnded(reason)) fail();
    // The program could not be loaded.
    else if (!html.dataset.start && /\/pkg\//.test(`${reason?.message} ${reason?.stack}`)) plain();
  });

  globalThis.duetPage = {
    // Decides how the program starts: "hydrate", "draw" (render from scratch) or "plain" (not at all).
    prepare() {
      // A form submission is unloading this page; the program would send the message again.
      if (sent !== undefined) return "plain";
      if (mode === "plain" || !globalThis.__RESOLVED_RESOURCES) {
        plain();
        return "plain";
      }
      undo();
      // The viewer's time zone changed since the server rendered, so days are divided elsewhere.
      const isElsewhere = html.dataset.zone && html.dataset.zone !== zone;
      if (mode !== "draw") mode = isAsSent() && !isElsewhere ? "hydrate" : "draw";
      kept = typed();
      html.dataset.start = mode;
      return mode;
    },
    // The view is in place.
    started() {
      if (mode === "hydrate") {
        for (const [node, parent, next] of guests) {
          parent.insertBefore(node, next?.parentNode === parent ? next : null);
        }
      }
    },
    // All handlers are in place.
    live() {
      if (failed) return;
      restore();
      texts.observe(root, { childList: true, subtree: true });
      html.dataset.hydrated = "true";
    },
    // Settles once it is known whether the server accepts this address; undefined if there is no doubt.
    address: () => asked,
    plain,
    fail,
  };
})();
