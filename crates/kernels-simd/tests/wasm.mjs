// Runs the checks of a wasm_suite module: node wasm.mjs MODULE "TABLES THAT IT MUST HAVE"
import { readFileSync } from "node:fs";

const [module, tables] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));
const wasm = instance.exports;
const message = () =>
  new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.message(), wasm.message_len()));

const count = wasm.count();
let failed = 0;
wasm.tables();
if (message() !== tables) {
  console.log(`tables: ${message()}, expected: ${tables}`);
  failed++;
}
for (let check = 0; check < count; check++) {
  wasm.name(check);
  const name = message();
  try {
    wasm.run(check);
    console.log(`${name} ... ok`);
  } catch (trap) {
    console.log(`${name} ... FAILED: ${trap.message}: ${message()}`);
    failed++;
  }
}
console.log(`${count} checks on ${tables}, ${failed} failures`);
process.exit(failed ? 1 : 0);
