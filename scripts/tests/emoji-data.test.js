"use strict";

const assert = require("node:assert");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");
const names = (language) => {
  const text = fs.readFileSync(path.join(root, `public/emoji/names/${language}.js`), "utf8");
  return JSON.parse(text.slice(text.indexOf("["), text.lastIndexOf(";")));
};
const script = path.join(root, "scripts/emoji-data");

test("the names of every language list the same emoji in the same order", () => {
  execFileSync(script);
  const [en, de, ar] = ["en", "de", "ar"].map((language) => names(language).flat());
  assert.ok(en.length > 1800);
  for (const other of [de, ar]) assert.deepStrictEqual(other.map(([emoji]) => emoji), en.map(([emoji]) => emoji));
  for (const [emoji, name, shortcodes] of [...en, ...de, ...ar]) assert.ok(name && shortcodes, emoji);
});

test("nearly all Arabic names are in Arabic script", () => {
  execFileSync(script);
  const foreign = names("ar").flat().filter(([, name]) => !/\p{Script=Arabic}/u.test(name));
  assert.ok(foreign.length < 10, foreign.map(([, name]) => name).join(", "));
});

test("unchanged files are not written again", () => {
  execFileSync(script);
  const file = path.join(root, "public/emoji/names/en.js");
  const before = fs.statSync(file).mtimeMs;
  execFileSync(script);
  assert.strictEqual(fs.statSync(file).mtimeMs, before);
});
