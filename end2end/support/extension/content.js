// Changes a page like an extension of the kind that the cookie names, and marks the document.
const kind = document.cookie.match(/(?:^|; )extension=([a-z]+)/)?.[1];
const root = document.getElementById("app");

const nodes = (what) => {
  const walker = document.createTreeWalker(root, what);
  const all = [];
  while (walker.nextNode()) all.push(walker.currentNode);
  return all;
};

const kinds = {
  // A password manager: adds elements on both sides of each field, in each form, also before the message box.
  beside() {
    for (const field of root.querySelectorAll("input:not([type=hidden]), textarea, select")) {
      for (const side of ["before", "after"]) {
        const element = document.createElement("div");
        element.className = "stranger";
        field[side](element);
      }
      field.dataset.filledBy = "a stranger";
    }
    for (const form of root.querySelectorAll("form")) form.prepend(document.createElement("span"));
  },
  // A spelling checker: wraps each field in an element.
  around() {
    for (const field of root.querySelectorAll("input:not([type=hidden]), textarea")) {
      const element = document.createElement("div");
      field.replaceWith(element);
      element.append(field);
    }
  },
  // Removes comments, as minifying proxies do.
  comments() {
    for (const comment of nodes(NodeFilter.SHOW_COMMENT)) comment.remove();
  },
  // A translator.
  font() {
    for (const text of nodes(NodeFilter.SHOW_TEXT)) {
      if (!text.data.trim() || text.parentElement.matches("script, noscript, textarea, option")) continue;
      const outer = document.createElement("font");
      const inner = outer.appendChild(document.createElement("font"));
      inner.append(text.data);
      text.replaceWith(outer);
    }
    document.documentElement.lang = "fr";
  },
  // A telephone number linker: wraps a part of each text in an element.
  split() {
    for (const text of nodes(NodeFilter.SHOW_TEXT)) {
      if (text.data.trim().length < 4 || text.parentElement.matches("script, noscript, textarea, option")) continue;
      const range = document.createRange();
      range.setStart(text, 1);
      range.setEnd(text, 3);
      range.surroundContents(document.createElement("mark"));
    }
  },
  // A word search: joins adjacent text nodes.
  joined() {
    for (const comment of nodes(NodeFilter.SHOW_COMMENT)) comment.remove();
    root.normalize();
  },
  // A filter of advertisements.
  removed() {
    for (const what of ["h1", "[role=alert]", "svg", "nav header"]) root.querySelector(what)?.remove();
    // Not one of the first labels, because the test types into their fields while the label is away.
    [...root.querySelectorAll("label")].at(-1)?.remove();
  },
};

kinds[kind]?.();
document.documentElement.dataset.extension = kind;
