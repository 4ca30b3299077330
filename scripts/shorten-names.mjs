// Shortens the names by which WebAssembly modules and their scripts find each other:
//   node scripts/shorten-names.mjs DIRECTORY
//
// wasm-bindgen gives each imported and exported function a name with a hash. A hash does not compress, and the page
// transfers each name twice: in the module and in the script. The new names are the same in all files of the directory.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import binaryen from "binaryen";
import { features } from "./wasm-features.mjs";

const HASHED = /[0-9a-f]{16}/;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/g;

const directory = process.argv[2];
const filesOf = (kind) => readdirSync(directory).filter((name) => name.endsWith(kind)).sort().map((name) => join(directory, name));

// A name that starts with "$" cannot be the name of a Rust function.
const shorter = new Map();
function shorten(name) {
  if (!shorter.has(name)) shorter.set(name, `$${shorter.size.toString(36)}`);
  return shorter.get(name);
}

// A changed import is a new declaration under the same internal name, so calls and tables stay as they are.
function renameImports(module) {
  for (let index = module.getNumFunctions() - 1; index >= 0; index -= 1) {
    const { name, module: from, base, params, results } = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
    if (!HASHED.test(base)) continue;
    module.removeFunction(name);
    module.addFunctionImport(name, from, shorten(base), params, results);
  }
}

function renameExports(module) {
  const renamed = [];
  for (let index = 0; index < module.getNumExports(); index += 1) {
    const { name, value, kind } = binaryen.getExportInfo(module.getExportByIndex(index));
    if (kind === binaryen.ExternalFunction && HASHED.test(name)) renamed.push([name, value]);
  }
  for (const [name, value] of renamed) {
    module.removeExport(name);
    module.addFunctionExport(value, shorten(name));
  }
}

for (const file of filesOf(".wasm")) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(features);
  renameImports(module);
  renameExports(module);
  const code = module.emitBinary();
  if (!WebAssembly.validate(code)) throw new Error(`${file} is no module any more`);
  writeFileSync(file, code);
  module.dispose();
}
const found = new Set();
for (const file of filesOf(".js")) {
  const script = readFileSync(file, "utf8");
  const short = script.replace(WORD, (word) => {
    if (shorter.has(word)) found.add(word);
    return shorter.get(word) ?? word;
  });
  writeFileSync(file, short);
}
console.log(`shortened ${shorter.size} names, of which scripts use ${found.size}`);
// Without this error the page would grow unnoticed when wasm-bindgen names its functions in another way.
if (found.size === 0) process.exit(1);
