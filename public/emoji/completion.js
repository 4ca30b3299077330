// Emoji by their names while one writes: `:smi` offers a few above the box, `:smile:` becomes the emoji.
// The focus stays in the box; the list is told to screen readers by `aria-activedescendant`.

import { insert } from "./insert.js";
import { byShortcode, find, keepRecent, names, toned } from "./names.js";

const WHOLE = /(?:^|\s):([a-z0-9_+-]+):$/i;
const PART = /(?:^|\s):([\p{L}\p{N}+][\p{L}\p{N}_+-]+)$/u;
const MOST = 6;

/** What is offered now; undefined when nothing is. */
let offer;

export function watch(texts) {
  document.addEventListener("input", (event) => {
    if (event.target.matches?.(".composer textarea")) look(event.target, texts, event.isComposing);
  });
  // Before the page's own listeners: Enter takes an emoji here instead of sending.
  document.addEventListener("keydown", onKey, { capture: true });
  document.addEventListener("focusout", (event) => event.target === offer?.box && close());
  document.addEventListener("selectionchange", () => offer && offer.box.selectionStart !== offer.end && close());
  const box = document.activeElement;
  if (box?.matches(".composer textarea")) look(box, texts, false);
}

async function look(box, texts, isComposing) {
  const end = box.selectionStart;
  const before = box.value.slice(0, end);
  const whole = WHOLE.exec(before)?.[1];
  const part = PART.exec(before)?.[1];
  if (isComposing || end !== box.selectionEnd || !(whole ?? part)) return close();
  // Without the names one writes without emoji; the picker says what is wrong.
  const groups = await names().catch(() => undefined);
  if (!groups || !box.value.startsWith(before)) return undefined;
  if (whole) {
    close();
    const emoji = byShortcode(groups, whole);
    if (emoji) replace(box, end - whole.length - 2, end, emoji);
    return undefined;
  }
  // Something was typed meanwhile, which brought its own look.
  if (box.selectionStart !== end) return undefined;
  const found = find(groups, part, MOST);
  if (found.length === 0) return close();
  return show({ box, from: end - part.length - 1, end, found, index: 0 }, texts);
}

function take(box, from, end, emoji) {
  keepRecent(emoji);
  insert(box, from, end, toned(emoji));
}

/** Takes the emoji of a whole name; who typed on while the names were on their way stays where they are. */
function replace(box, from, end, emoji) {
  const beyond = box.value.length - box.selectionStart;
  take(box, from, end, emoji);
  box.setSelectionRange(box.value.length - beyond, box.value.length - beyond);
}

function show(next, texts) {
  const list = offer?.list ?? made(texts);
  if (!list.isConnected) next.box.closest(".composer-frame").append(list);
  offer = { ...next, list };
  list.replaceChildren(...offer.found.map(option));
  next.box.setAttribute("aria-autocomplete", "list");
  next.box.setAttribute("aria-controls", list.id);
  point(0);
}

function made(texts) {
  const list = document.createElement("ul");
  list.id = "emoji-offer";
  list.className = "emoji-offer";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", texts.offer);
  // The box keeps the focus while one presses an emoji.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest("[role=option]");
    if (chosen) choose([...list.children].indexOf(chosen));
  });
  return list;
}

function option(emoji, index) {
  const item = document.createElement("li");
  item.id = `emoji-offer-${index}`;
  item.setAttribute("role", "option");
  const picture = document.createElement("span");
  picture.className = "emoji";
  picture.textContent = toned(emoji);
  picture.setAttribute("aria-hidden", "true");
  const name = document.createElement("span");
  name.textContent = emoji.name;
  const code = document.createElement("span");
  code.className = "emoji-code";
  code.dir = "ltr";
  code.textContent = `:${emoji.code}:`;
  item.append(picture, name, code);
  return item;
}

function point(index) {
  offer.index = index;
  [...offer.list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
  offer.box.setAttribute("aria-activedescendant", `emoji-offer-${index}`);
}

function choose(index) {
  const { box, from, end, found } = offer;
  close();
  take(box, from, end, found[index]);
}

function close() {
  if (!offer) return;
  for (const name of ["aria-autocomplete", "aria-controls", "aria-activedescendant"]) offer.box.removeAttribute(name);
  offer.list.remove();
  offer = undefined;
}

function onKey(event) {
  if (!offer || event.target !== offer.box || event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const count = offer.found.length;
  const act = {
    ArrowDown: () => point((offer.index + 1) % count),
    ArrowUp: () => point((offer.index + count - 1) % count),
    Enter: () => choose(offer.index),
    Tab: () => choose(offer.index),
    Escape: close,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}
