// Where the focus goes, with and without WebAssembly: to the composer when the user types outside any field, and to a
// remaining element when the focused one disappears. Inline after page.js.
(() => {
  const root = document.getElementById("app");
  if (!root) return;
  const box = () => root.querySelector(".composer textarea");
  const isShown = (node) => node?.getClientRects?.().length > 0;

  // Text typed or pasted outside any field goes to the composer. It receives the focus before the key is handled, so
  // the key itself and the first key of an input method arrive there.
  const isForBox = ({ target, defaultPrevented }) =>
    !defaultPrevented &&
    box() &&
    !document.querySelector("dialog[open]") &&
    !target.closest?.("input, textarea, select, [contenteditable], [popover], [role=menu], [role=listbox]");
  addEventListener("keydown", (event) => {
    const { key = "", target } = event;
    const isText = key.length === 1 || key > "~" || key === "Dead" || key === "Process";
    const isCommand = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
    if (!isText || isCommand || event.isComposing || !isForBox(event)) return;
    // Space activates buttons, and scrolls the log while the composer is empty.
    if (key === " " && (!box().value || target.closest("a, button, summary"))) return;
    box().focus({ preventScroll: true });
  });
  addEventListener("paste", (event) => {
    if (!isForBox(event)) return;
    event.preventDefault();
    const { clipboardData } = event;
    box().focus({ preventScroll: true });
    const again = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    if (!box().dispatchEvent(again)) return;
    document.execCommand("insertText", false, clipboardData.getData("text/plain"));
  });

  // Pressing a button beside a message must not move the focus.
  addEventListener("mousedown", (event) => {
    if (event.target.closest?.(".message-button, .ticks")) event.preventDefault();
  });

  // The focused element may disappear: a menu, a dialog, a used button. The focus then moves to the composer. On touch
  // screens, where that would open the keyboard, it moves to the nearest remaining ancestor; in the list, to the link
  // of the page that was left.
  let path = [];
  let left;
  addEventListener("focusin", (event) => {
    path = event.composedPath();
    if (location.pathname !== "/") left = location.pathname;
  });
  const rescue = () => {
    const active = document.activeElement;
    if (!path[0] || isShown(path[0]) || (active !== document.body && isShown(active))) return;
    const around = path.find(isShown);
    const page = root.querySelector(location.pathname === "/" ? "nav" : "main");
    const near = around.contains(page) ? (page.querySelector(`a[href="${left}"]`) ?? page) : around;
    const place = (!matchMedia("(hover: none) and (pointer: coarse)").matches && box()) || near;
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  };
  for (const name of ["click", "keyup", "focusout", "popstate"]) addEventListener(name, () => setTimeout(rescue));
})();
