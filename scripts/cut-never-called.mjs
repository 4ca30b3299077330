// Removes functions from WebAssembly modules that are never called:   node scripts/cut-never-called.mjs FILE...
//
// Every view contains code for asynchronous hydration, which is reached through a table, so no optimiser can prove that
// nothing calls it. Duet's page hydrates synchronously (frontend/src/lib.rs). Without this step an eighth of the page's
// code would be downloaded and compiled in vain. A call of a removed function traps and stops the page at once, so the
// first test that opens such a page fails.
import { readFileSync, writeFileSync } from "node:fs";
import binaryen from "binaryen";
import { features } from "./wasm-features.mjs";

// The ends of the mangled names: asynchronous hydration with its futures and closures, and hydration of a page written
// without values (`template!`).
const CLOSURE = String.raw`(28_\$u7b\$\$u7b\$closure\$u7d\$\$u7d\$)`;
const NEVER_CALLED = new RegExp(
  `(13hydrate_async${CLOSURE}{0,2}|21hydrate_from_template)17h[0-9a-f]{16}E`,
);

let all = 0;
for (const file of process.argv.slice(2)) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(features);
  let cut = 0;
  for (let index = 0; index < module.getNumFunctions(); index += 1) {
    const code = module.getFunctionByIndex(index);
    const { name, base } = binaryen.getFunctionInfo(code);
    // A function with a base is imported and has no code here.
    if (base || !NEVER_CALLED.test(name)) continue;
    binaryen.Function.setBody(code, module.unreachable());
    cut += 1;
  }
  if (cut > 0) {
    const code = module.emitBinary();
    if (!WebAssembly.validate(code)) throw new Error(`${file} is no module any more`);
    writeFileSync(file, code);
  }
  module.dispose();
  all += cut;
}
console.log(`cut off ${all} functions that are never called`);
// No match means that the mangled names have changed; without this error the page would grow unnoticed.
if (all === 0) process.exit(1);
