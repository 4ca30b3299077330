// Emoji by their names while one writes: `:smi` offers a few above the box, `:smile:` becomes the emoji.
// The focus stays in the box; the list is told to screen readers by `aria-activedescendant`.

import { insert } from "./insert.js";
import { byShortcode, find, keepRecent, names, toned } from "./names.js";

const WHOLE = /(?:^|\s):([a-z0-9_+-]+):$/i;
// A name has a letter: ` :10` is a time or a number. `:+1` is the exception that everybody knows.
const PART = /(?:^|\s):((?=[\p{N}_+-]*\p{L}|\+1$)[\p{L}\p{N}+][\p{L}\p{N}_+-]+)$/u;
const MOST = 6;
/** Longer than every name: of a long text only so much before the caret is read at every key. */
const LONGEST = 100;

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
  const start = Math.max(0, end - LONGEST);
  const before = box.value.slice(start, end);
  const whole = WHOLE.exec(before)?.[1];
  const part = PART.exec(before)?.[1];
  if (isComposing || end !== box.selectionEnd || !(whole ?? part)) return close();
  // Without the names one writes without emoji; the picker says what is wrong.
  const groups = await names().catch(() => undefined);
  if (!groups || box.value.slice(start, end) !== before) return undefined;
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
  return show({ box, from: end - part.length - 1, end, found, index: 0, part, isChosen: false }, texts);
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

function walk(index) {
  offer.isChosen = true;
  point(index);
}

/** Enter sends, unless the person began a name or walked to an emoji: a word of its description is no name. */
function takesEnter({ found, index, part, isChosen }) {
  const { codes, name } = found[index];
  const begun = part.toLowerCase();
  return isChosen || [...codes, name.toLowerCase()].some((one) => one.startsWith(begun));
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
    ArrowDown: () => walk((offer.index + 1) % count),
    ArrowUp: () => walk((offer.index + count - 1) % count),
    Enter: takesEnter(offer) ? () => choose(offer.index) : undefined,
    Tab: () => choose(offer.index),
    Escape: close,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}
