const { test } = require("node:test");
const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { mkdtempSync, readFileSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");

const PLUS = "__wbg_plusOne_0123456789abcdef";
const CALL = "_ZN4page4call17hfedcba9876543210E";

const shorten = (directory) => spawnSync("node", [join(__dirname, "../shorten-names.mjs"), directory], { encoding: "utf8" });

async function files(text) {
  const { default: binaryen } = await import("binaryen");
  const directory = mkdtempSync(join(tmpdir(), "names-"));
  writeFileSync(join(directory, "page.wasm"), binaryen.parseText(text).emitBinary());
  writeFileSync(join(directory, "page.js"), `({ imports: { bg: { ${PLUS}: (n) => n + 1 } }, run: (wasm) => wasm.${CALL}(41) })`);
  return directory;
}

test("a module and its script find each other by shorter names", async () => {
  const directory = await files(
    `(module (import "bg" "${PLUS}" (func $plus (param i32) (result i32)))
       (table (export "table") 1 funcref) (elem (i32.const 0) func $plus)
       (func (export "${CALL}") (param i32) (result i32) (call $plus (local.get 0)))
       (func (export "start") (result i32) (i32.const 7)))`,
  );
  assert.match(shorten(directory).stdout, /shortened 2 names, of which scripts use 2/);
  const script = readFileSync(join(directory, "page.js"), "utf8");
  const code = readFileSync(join(directory, "page.wasm"));
  for (const text of [script, code.toString("latin1")]) assert.doesNotMatch(text, /[0-9a-f]{16}/);
  const { imports, run } = eval(script);
  const { instance } = await WebAssembly.instantiate(code, imports);
  assert.equal(run(instance.exports), 42);
  assert.equal(instance.exports.start(), 7);
  assert.equal(instance.exports.table.get(0)(1), 2, "the table has the imported function");
});

test("the step fails if no script uses a name with a hash", async () => {
  const { status } = shorten(await files(`(module (func (export "start")))`));
  assert.equal(status, 1);
});
