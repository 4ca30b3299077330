// Puts text into the box in the place of a range, as if it had been typed: undo goes back over it, and the page hears
// of it as of any other input.

/** Whether this is a device whose keyboard covers the page when the box has the focus. */
export const isTouch = () => matchMedia("(hover: none) and (pointer: coarse)").matches;

export function insert(box, from, to, text) {
  // On a touch screen an emoji must not call the keyboard back.
  if (!isTouch() || document.activeElement === box) {
    box.focus();
    box.setSelectionRange(from, to);
    if (document.execCommand("insertText", false, text)) return;
  }
  box.setRangeText(text, from, to, "end");
  box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText", data: text }));
}
