"use strict";

// The patches break Duet on purpose, so that `make torture-demonstrate` and `make fuzz-demonstrate` can show that the
// torture and the fuzzer detect each fault.

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");
const patchesIn = (broken) =>
  fs
    .readdirSync(path.join(root, broken), { recursive: true })
    .filter((file) => file.endsWith(".patch"))
    .map((file) => `${broken}/${file}`);
const torture = patchesIn("crates/torture/broken");
const fuzz = patchesIn("crates/fuzz/broken");

test("there are patches for one server and for several nodes", () => {
  const nodes = torture.filter((file) => file.includes("/nodes/"));
  assert.ok(nodes.length > 0 && nodes.length < torture.length, torture.join());
});

test("each patch for the fuzzer names its target", () => {
  const targets = fs.readdirSync(path.join(root, "crates/fuzz/corpus"));
  assert.ok(fuzz.length > 0);
  for (const file of fuzz) assert.ok(targets.includes(path.basename(file).split("-")[0]), file);
});

for (const file of [...torture, ...fuzz]) {
  test(`the patch ${file} applies to the present code`, () => {
    const { status, stderr } = spawnSync("git", ["apply", "--check", file], { cwd: root, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
}
