// The names of the emoji, in the language of the page: fetched once, when somebody first looks for one.
// Made at build time by scripts/emoji-data; here they are searched, toned, and those used lately are kept.

const LANGUAGES = ["en", "de", "ar"];
const TONES = ["", "\u{1F3FB}", "\u{1F3FC}", "\u{1F3FD}", "\u{1F3FE}", "\u{1F3FF}"];
const MOST_RECENT = 24;

export const language = LANGUAGES.find((tag) => document.documentElement.dataset.language === tag) ?? "en";

let loading;

/** The groups of emoji. A failed attempt is not remembered: the next one asks again. */
export function names() {
  loading ??= import(`./names/${language}.js`).then(
    (module) => module.default.map((group) => group.map(entry)),
    (failure) => {
      loading = undefined;
      throw failure;
    },
  );
  return loading;
}

function entry([characters, name, shortcodes, words, takesTone]) {
  const codes = shortcodes.split(" ");
  const text = ` ${name.toLowerCase()} ${shortcodes.replaceAll("_", " ")} ${words}`;
  const code = codes.reduce((one, other) => (other.length < one.length ? other : one));
  return { characters, name, codes, code, text, takesTone: takesTone === 1 };
}

/** The emoji that a query means, the best first: by shortcode, then by the beginnings of words. */
export function find(groups, query, most = Number.POSITIVE_INFINITY) {
  const sought = query.trim().toLowerCase();
  const words = sought.split(/[\s_]+/).filter(Boolean);
  const ranks = [[], [], [], []];
  for (const emoji of groups.flat()) {
    const rank = rankOf(emoji, sought, words);
    if (rank !== undefined) ranks[rank].push(emoji);
  }
  return ranks.flat().slice(0, most);
}

function rankOf({ codes, name, text }, sought, words) {
  if (words.length === 0) return undefined;
  if (codes.includes(sought)) return 0;
  if (codes.some((code) => code.startsWith(sought))) return 1;
  if (!words.every((word) => text.includes(` ${word}`))) return undefined;
  return name.toLowerCase().startsWith(sought) ? 2 : 3;
}

/** The emoji of a whole shortcode. */
export function byShortcode(groups, code) {
  return groups.flat().find(({ codes }) => codes.includes(code.toLowerCase()));
}

/** The characters of an emoji in the tone that this person chose. */
export function toned({ characters, takesTone }, tone = kept().tone) {
  if (!takesTone || !TONES[tone]) return characters;
  const [first, ...rest] = characters;
  return first + TONES[tone] + rest.join("").replace(/^\uFE0F/, "");
}

/** What this person used lately, and their tone; nothing where the browser keeps nothing. */
export function kept() {
  try {
    const { recent, tone } = JSON.parse(localStorage.getItem(key()) ?? "{}");
    return { recent: Array.isArray(recent) ? recent : [], tone: TONES[tone] ? tone : 0 };
  } catch {
    return { recent: [], tone: 0 };
  }
}

export function keepTone(tone) {
  keep({ ...kept(), tone });
}

export function keepRecent({ characters }) {
  const { recent, tone } = kept();
  keep({ recent: [characters, ...recent.filter((other) => other !== characters)].slice(0, MOST_RECENT), tone });
}

function keep(value) {
  try {
    localStorage.setItem(key(), JSON.stringify(value));
  } catch {
    // A full or forbidden storage costs the list of recent ones, not the emoji.
  }
}

// Per person, like everything that the page keeps.
function key() {
  return `duet:${document.querySelector(".composer [name=sender]")?.value}:emoji`;
}
