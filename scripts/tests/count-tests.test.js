const { test } = require("node:test");
const assert = require("node:assert/strict");
const { countCargo, countPlaywright, countTorture } = require("../count-tests");

test("cargo's results are summed over all binaries, with and without colours", () => {
  const log = [
    "running 2 tests",
    "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "test result: \x1b[31mFAILED\x1b[0m. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
    "a message that says test result: ok. 9 passed; 9 failed; 9 ignored;",
  ].join("\n");
  assert.deepEqual(countCargo(log), { passed: 5, failed: 1, skipped: 1 });
});

test("a run that compiled nothing counts nothing", () => {
  assert.deepEqual(countCargo("error: could not compile `chat`"), { passed: 0, failed: 0, skipped: 0 });
});

test("a flaky browser test and an error outside of the tests are failures", () => {
  const report = JSON.stringify({ stats: { expected: 4, unexpected: 1, flaky: 1, skipped: 2 }, errors: [{ message: "" }] });
  assert.deepEqual(countPlaywright(report), { passed: 4, failed: 3, skipped: 2 });
});

test("a round of the torture is a test, and one that is not possible here is skipped", () => {
  const log = [
    "SKIPPED full: this user may not mount, or there is no C compiler",
    "seed 7",
    "round   0 calm     kept: 9 messages, 0 faults, settled in 159 ms",
    "round   1 kill     BROKEN: 9 messages, 2 faults, did not settle",
    "  I1: a round 3 kept: in a sentence",
    "rounds 2, of which 1 failed",
  ].join("\n");
  assert.deepEqual(countTorture(log), { passed: 1, failed: 1, skipped: 1 });
});
