// Emoji in the composer. The page fetches this module when somebody first presses the button or types a colon; until
// then it weighs nothing. The words come from the page's own table, as JSON on the script's element.

import { watch } from "./completion.js";

const script = document.getElementById("emoji-script");
const texts = JSON.parse(script.dataset.texts);

async function open() {
  const box = document.querySelector(".composer textarea");
  if (!box) return;
  const picker = await import("./picker.js");
  picker.open(box, texts);
}

document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest(".emoji-button")) open();
});
watch(texts);
if (script.dataset.open) open();
