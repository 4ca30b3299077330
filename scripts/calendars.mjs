// Writes app/src/time/calendars.txt: for each region of Duet's languages, the names of days and months and the patterns
// of dates and times, from the CLDR data of this Node.js. Run after a CLDR update: node scripts/calendars.mjs
import { writeFileSync } from "node:fs";

const LANGUAGES = ["en", "de", "ar"];
// Every two-letter region code; "" stands for the language without a known region.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
const REGIONS = ["", "001", "150", ...[...LETTERS].flatMap((one) => [...LETTERS].map((two) => one + two)).filter((region) => names.of(region))];

const at = (month, day, hour = 3) => new Date(Date.UTC(2026, month, day, hour, 5));
// A Tuesday in March whose day and month have one digit each, so that a leading zero shows in the pattern.
const SAMPLE = at(2, 3);

/** Returns the placeholder for a part of a date in a pattern; app/src/time/calendar.rs parses it. */
function sign(part, value, options, table) {
  const two = value.startsWith("0");
  switch (part) {
    case "weekday": {
      const name = table[(options.weekday === "long" ? 24 : 31) + 2];
      return (options.weekday === "long" ? "%W" : "%w") + value.slice(name.length);
    }
    case "month":
      if (/^\d/.test(value)) return two ? "%N" : "%n";
      return options.month === "short" ? "%m" : "%M";
    case "day":
      return two ? "%D" : "%d";
    case "year":
      return value.length === 2 ? "%Y" : "%y";
    case "hour":
      return options.hourCycle === "h23" ? "%H" : "%h";
    case "minute":
      return "%i";
    case "dayPeriod":
      return "%a";
    default:
      return value;
  }
}

function table(language, region) {
  const tag = `${language}${region && "-" + region}-u-ca-gregory-nu-latn`;
  const format = (options) => new Intl.DateTimeFormat(tag, { ...options, timeZone: "UTC" });
  const part = (options, date, type) => format(options).formatToParts(date).find((part) => part.type === type).value;
  const months = Array.from({ length: 12 }, (_, month) => at(month, 1));
  const days = Array.from({ length: 7 }, (_, day) => at(0, 4 + day));
  const half = { hour: "numeric", hourCycle: "h12" };
  const fields = [
    ...months.map((date) => part({ day: "numeric", month: "long" }, date, "month")),
    ...months.map((date) => part({ day: "numeric", month: "short" }, date, "month")),
    ...days.map((date) => format({ weekday: "long" }).format(date)),
    ...days.map((date) => format({ weekday: "short" }).format(date)),
    part(half, at(0, 1, 3), "dayPeriod"),
    part(half, at(0, 1, 15), "dayPeriod"),
  ];
  const pattern = (options) =>
    format(options)
      .formatToParts(SAMPLE)
      .map(({ type, value }) => sign(type, value, options, fields))
      .join("");
  const moment = { dateStyle: "full", timeStyle: "short", hourCycle: "h23", weekday: "long" };
  const full = new Intl.DateTimeFormat(tag, { dateStyle: "full", timeStyle: "short", timeZone: "UTC" }).formatToParts(SAMPLE);
  const date = full.slice(0, full.findIndex(({ type }) => type === "hour"));
  fields.push(
    pattern({ hour: "numeric", minute: "2-digit", hourCycle: "h12" }),
    pattern({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    pattern({ weekday: "long", day: "numeric", month: "long" }),
    pattern({ weekday: "short", day: "numeric", month: "long", year: "numeric" }),
    pattern({ day: "numeric", month: "short" }),
    pattern({ day: "numeric", month: "numeric", year: "2-digit" }),
    date.map(({ type, value }) => sign(type, value, moment, fields)).join("") + "%t",
  );
  const { hourCycle } = format({ hour: "numeric" }).resolvedOptions();
  // Browsers write an ordinary space before AM, so the narrow no-break space is replaced.
  return { hours: hourCycle, fields: fields.join("|").replaceAll("\u202f", " ") };
}

const lines = [];
for (const language of LANGUAGES) {
  const groups = new Map();
  for (const region of REGIONS) {
    const { hours, fields } = table(language, region);
    const key = `${hours}|${fields}`;
    groups.set(key, [...(groups.get(key) ?? []), region]);
  }
  // Regions that are not listed use the group of the language without a known region ("*").
  for (const [key, regions] of groups) {
    lines.push(`${language} ${regions.includes("") ? "*" : regions.join(" ")}|${key}`);
  }
}
const head = `# Made by scripts/calendars.mjs from the CLDR ${process.versions.cldr}. © Unicode, Inc., https://www.unicode.org/license.txt\n`;
writeFileSync(new URL("../app/src/time/calendars.txt", import.meta.url), head + lines.join("\n") + "\n");
