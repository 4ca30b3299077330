// The picker: a native dialog, above the box on wide screens and a sheet from below on phones. One is made per page and
// kept. Tab goes search, groups, emoji, tones; arrow keys walk inside each; Escape goes back to the box.

import { insert, isTouch } from "./insert.js";
import { find, keepRecent, keepTone, kept, language, names, toned } from "./names.js";

const HANDS = ["✋", "✋🏻", "✋🏼", "✋🏽", "✋🏾", "✋🏿"];
const LATELY = "🕘";

let picker;

export async function open(box, texts) {
  picker ??= new Picker(texts);
  await picker.show(box);
}

function make(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

class Picker {
  #texts;
  #groups = [];
  /** The emoji of each option. */
  #emoji = new WeakMap();
  #box;

  constructor(texts) {
    this.#texts = texts;
    this.search = make("input", "emoji-search", { type: "search", "aria-label": texts.search, placeholder: texts.search, autocomplete: "off", enterkeyhint: "done" });
    this.status = make("p", "sr-only", { role: "status" });
    this.tabs = make("div", "emoji-groups", { role: "toolbar", "aria-label": texts.groups });
    this.list = make("div", "emoji-list", { role: "listbox", "aria-label": texts.title });
    this.preview = make("p", "emoji-preview", { "aria-hidden": "true" });
    const close = make("button", "icon-button", { type: "button", "aria-label": texts.close }, "✕");
    const top = make("div", "emoji-top", {}, this.search, close);
    const foot = make("div", "emoji-foot", {}, this.preview, this.#tones());
    this.dialog = make("dialog", "emoji-picker", { "aria-label": texts.title }, top, this.tabs, this.status, this.list, foot);
    document.body.append(this.dialog);
    close.addEventListener("click", () => this.dialog.close());
    this.#listen();
  }

  #listen() {
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => !isTouch() && this.#box.focus());
    this.search.addEventListener("input", () => this.#fill());
    this.search.addEventListener("keydown", (event) => this.#onSearchKey(event));
    this.list.addEventListener("keydown", (event) => this.#onListKey(event));
    this.list.addEventListener("click", (event) => this.#pick(event.target.closest("[role=option]")));
    for (const kind of ["focusin", "pointerover"]) this.list.addEventListener(kind, (event) => this.#describe(event.target));
    this.tabs.addEventListener("click", (event) => this.#goTo(event.target.closest("button")));
    this.tabs.addEventListener("keydown", (event) => this.#onTabKey(event));
  }

  async show(box) {
    this.#box = box;
    const frame = box.closest(".composer-box").getBoundingClientRect();
    const rtl = getComputedStyle(box.closest(".composer-frame")).direction === "rtl";
    this.dialog.style.setProperty("--emoji-start", `${rtl ? innerWidth - frame.right : frame.left}px`);
    this.dialog.style.setProperty("--emoji-bottom", `${innerHeight - frame.top + 8}px`);
    this.search.value = "";
    this.dialog.showModal();
    // Where the keyboard would cover the sheet, it comes when one asks for it.
    if (isTouch()) this.dialog.focus();
    else this.search.focus();
    try {
      this.#groups = await names();
      this.#fill();
    } catch {
      this.list.replaceChildren(make("p", "emoji-heading", { role: "presentation" }, this.#texts.failed));
      this.status.textContent = this.#texts.failed;
    }
  }

  #sections() {
    if (this.search.value.trim()) return [[this.#texts.found_title, find(this.#groups, this.search.value)]];
    const known = new Map(this.#groups.flat().map((emoji) => [emoji.characters, emoji]));
    const recent = kept().recent.flatMap((characters) => known.get(characters) ?? []);
    return [[this.#texts.recent, recent], ...this.#groups.map((group, index) => [this.#texts.group_names[index], group])];
  }

  #fill() {
    const sections = this.#sections().filter(([, all]) => all.length > 0);
    this.list.replaceChildren(...sections.map(([title, all]) => this.#section(title, all)));
    this.list.scrollTop = 0;
    this.list.querySelector("[role=option]")?.setAttribute("tabindex", "0");
    const searching = this.search.value.trim() !== "";
    const count = this.list.querySelectorAll("[role=option]").length;
    this.status.textContent = searching ? this.#counted(count) : "";
    this.preview.textContent = searching && count === 0 ? this.#texts.none : "";
    this.tabs.hidden = searching;
    if (searching) return;
    this.tabs.replaceChildren(
      ...sections.map(([title, all], index) => {
        const picture = title === this.#texts.recent ? LATELY : toned(all[0]);
        return make("button", "emoji-tab", { type: "button", "aria-label": title, title, tabindex: index === 0 ? "0" : "-1" }, picture);
      }),
    );
  }

  #counted(count) {
    let form = "other";
    try {
      form = new Intl.PluralRules(language).select(count);
    } catch {
      // An `Intl` that refuses every locale: the form that fits most numbers.
    }
    return count === 0 ? this.#texts.none : this.#texts.found[form].replace("{}", count);
  }

  #section(title, all) {
    const { tone } = kept();
    const grid = make("div", "emoji-grid", { role: "presentation" });
    grid.append(
      ...all.map((emoji) => {
        const option = make("span", "emoji", { role: "option", "aria-selected": "false", "aria-label": emoji.name, tabindex: "-1" }, toned(emoji, tone));
        this.#emoji.set(option, emoji);
        return option;
      }),
    );
    const heading = make("div", "emoji-heading", { "aria-hidden": "true" }, title);
    return make("div", "emoji-section", { role: "group", "aria-label": title }, heading, grid);
  }

  #tones() {
    const choices = HANDS.map((hand, tone) => {
      const input = make("input", "sr-only", { type: "radio", name: "emoji-tone", "aria-label": this.#texts.tones[tone] });
      input.checked = tone === kept().tone;
      input.addEventListener("change", () => {
        keepTone(tone);
        this.#fill();
      });
      return make("label", "emoji-tone", {}, input, hand);
    });
    return make("fieldset", "emoji-tones", {}, make("legend", "sr-only", {}, this.#texts.tone), ...choices);
  }

  #pick(option) {
    const emoji = option && this.#emoji.get(option);
    if (!emoji) return;
    const { selectionStart: from, selectionEnd: to } = this.#box;
    keepRecent(emoji);
    this.dialog.close();
    insert(this.#box, from, to, toned(emoji));
  }

  #describe(target) {
    const emoji = this.#emoji.get(target);
    if (emoji) this.preview.replaceChildren(make("bdi", "", {}, emoji.name), " ", make("bdi", "emoji-code", {}, `:${emoji.code}:`));
  }

  #goTo(tab) {
    if (!tab) return;
    const section = this.list.children[[...this.tabs.children].indexOf(tab)];
    this.list.scrollTop = section.offsetTop - this.list.offsetTop;
    this.#rove(this.tabs.querySelectorAll("button"), tab);
    this.#rove(this.list.querySelectorAll("[tabindex='0']"), section.querySelector("[role=option]"));
  }

  /** Makes one of several the one that Tab comes to. */
  #rove(all, to) {
    for (const other of all) other.tabIndex = -1;
    to.tabIndex = 0;
  }

  #onTabKey(event) {
    const tabs = [...this.tabs.children];
    const next = tabs[tabs.indexOf(event.target) + this.#step(event.key)];
    if (!next || this.#step(event.key) === 0) return;
    event.preventDefault();
    this.#rove(tabs, next);
    next.focus();
  }

  /** To the next or the one before, as the language reads. */
  #step(key) {
    const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    if (key === forward) return 1;
    return key === "ArrowLeft" || key === "ArrowRight" ? -1 : 0;
  }

  #onSearchKey(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const first = this.list.querySelector("[role=option]");
    if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      this.#focus(first);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.search.value.trim()) this.#pick(first);
    }
  }

  #onListKey(event) {
    const { key, target } = event;
    if (key === "Enter" || key === " ") {
      event.preventDefault();
      this.#pick(target);
      return;
    }
    // Letters go on searching.
    if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.search.focus();
      return;
    }
    const next = this.#beside(target, key);
    if (!next) return;
    event.preventDefault();
    this.#focus(next);
  }

  #beside(option, key) {
    const all = [...this.list.querySelectorAll("[role=option]")];
    const at = all.indexOf(option);
    if (this.#step(key) !== 0) return all[at + this.#step(key)];
    if (key === "Home") return all[0];
    if (key === "End") return all.at(-1);
    if (key === "ArrowDown") return this.#inRow(option, all.slice(at + 1), 1);
    if (key === "ArrowUp") return this.#inRow(option, all.slice(0, at).reverse(), -1) ?? this.search;
    return undefined;
  }

  /** The nearest option of the next row that way. */
  #inRow(option, candidates, way) {
    const here = option.getBoundingClientRect();
    let best;
    let row;
    for (const candidate of candidates) {
      const there = candidate.getBoundingClientRect();
      if ((there.top - here.top) * way < 1) continue;
      row ??= there.top;
      if (Math.abs(there.top - row) > 1) break;
      const distance = Math.abs(there.left - here.left);
      if (!best || distance < best.distance) best = { candidate, distance };
    }
    return best?.candidate;
  }

  #focus(element) {
    if (element !== this.search) this.#rove(this.list.querySelectorAll("[tabindex='0']"), element);
    element.focus();
  }
}
