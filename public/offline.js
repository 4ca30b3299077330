// The offline page: shows one language, and reloads as soon as the server answers.
const languages = { en: "en", de: "de", ar: "ar" };
const language = navigator.languages.map((tag) => languages[tag.slice(0, 2)]).find(Boolean) ?? "en";
const html = document.documentElement;
html.lang = language;
html.dir = language === "ar" ? "rtl" : "ltr";
for (const part of document.querySelectorAll("[data-words]")) part.hidden = part.lang !== language;

addEventListener("online", () => location.reload());

// The browser does not report that a server is back, so this polls: at growing intervals, and only while the page is
// visible.
let pause = 2_000;
async function ask() {
  if (!document.hidden) {
    const answer = await fetch("/manifest.webmanifest", { cache: "no-store" }).catch(() => undefined);
    if (answer?.ok) return location.reload();
    pause = Math.min(pause * 1.5, 30_000);
  }
  setTimeout(ask, pause);
}
setTimeout(ask, pause);
document.addEventListener("visibilitychange", () => (pause = 2_000));
