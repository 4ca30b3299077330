"use strict";

// The patches break the server on purpose, so that `make torture-demonstrate` can show that the torture detects each fault.

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");
const broken = "crates/torture/broken";
const patches = fs.readdirSync(path.join(root, broken), { recursive: true }).filter((file) => file.endsWith(".patch"));

test("there are patches for one server and for several nodes", () => {
  assert.ok(patches.some((file) => !file.includes("/")) && patches.some((file) => file.startsWith("nodes/")), patches.join());
});

for (const file of patches) {
  test(`the patch ${file} applies to the present code`, () => {
    const { status, stderr } = spawnSync("git", ["apply", "--check", path.join(broken, file)], { cwd: root, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
}
