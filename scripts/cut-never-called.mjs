// Cuts off code of WebAssembly modules that is never called:   node scripts/cut-never-called.mjs FILE...
//
// Every view carries code to be hydrated asynchronously, reached through a table, so that no optimiser can know that
// nobody calls it. Duet's page is hydrated in one piece (frontend/src/lib.rs): an eighth of its code would travel and
// be compiled in vain. A call of what was cut off would end the page at once, in the first test that opens one.
import { readFileSync, writeFileSync } from "node:fs";
import binaryen from "binaryen";

// How the compiler's names of these functions end: what hydrates asynchronously, with the futures and closures inside;
// what hydrates a page that was written without values (`template!`).
const CLOSURE = String.raw`(28_\$u7b\$\$u7b\$closure\$u7d\$\$u7d\$)`;
const NEVER_CALLED = new RegExp(
  `(13hydrate_async${CLOSURE}{0,2}|21hydrate_from_template)17h[0-9a-f]{16}E`,
);

// What the compiler uses and every browser of the last years has: with more, binaryen would write what only few read.
const { MutableGlobals, BulkMemory, NontrappingFPToInt, SignExt, ReferenceTypes, Multivalue } = binaryen.Features;
const features = MutableGlobals | BulkMemory | NontrappingFPToInt | SignExt | ReferenceTypes | Multivalue;

let all = 0;
for (const file of process.argv.slice(2)) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(features);
  let cut = 0;
  for (let index = 0; index < module.getNumFunctions(); index += 1) {
    const code = module.getFunctionByIndex(index);
    const { name, base } = binaryen.getFunctionInfo(code);
    // What has a base is imported and has no code here.
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
// Otherwise the names have changed, and the page would grow without a word.
if (all === 0) process.exit(1);
