const { test } = require("node:test");
const assert = require("node:assert/strict");
const { countCargo, countFuzz, countPlaywright, countTorture } = require("../count-tests");

test("the results of cargo are summed over all test binaries, with and without colours", () => {
  const log = [
    "running 2 tests",
    "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "test stored::twice ... ok",
    "test stored::once ... \x1b[31mFAILED\x1b[0m",
    "test result: \x1b[31mFAILED\x1b[0m. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
    "a message that says test result: ok. 9 passed; 9 failed; 9 ignored;",
  ].join("\n");
  assert.deepEqual(countCargo(log), { passed: 5, failed: 1, skipped: 1, failures: ["stored::once"] });
});

test("a run that did not compile counts no tests", () => {
  assert.deepEqual(countCargo("error: could not compile `chat`"), { passed: 0, failed: 0, skipped: 0, failures: [] });
});

test("flaky browser tests and errors outside of the tests count as failures and are named", () => {
  const spec = (title, status, ...messages) => ({
    title,
    file: "messaging.spec.ts",
    line: 7,
    tests: [{ status, results: messages.map((message) => (message ? { error: { message } } : {})) }],
  });
  const report = JSON.stringify({
    stats: { expected: 4, unexpected: 1, flaky: 1, skipped: 2 },
    errors: [{ message: "no such\n  file" }],
    suites: [
      {
        specs: [spec("a user writes", "expected", undefined)],
        suites: [
          {
            specs: [
              spec("a user reads", "unexpected", "\x1b[31mexpected\x1b[0m 1\nreceived 2\nCall log:\n  waiting"),
              spec("a user waits", "flaky", "too late\n    at line 8", undefined),
            ],
          },
        ],
      },
    ],
  });
  assert.deepEqual(countPlaywright(report), {
    passed: 4,
    failed: 3,
    skipped: 2,
    failures: [
      "messaging.spec.ts:7 a user reads: expected 1 received 2",
      "messaging.spec.ts:7 a user waits: too late",
      "no such file",
    ],
  });
});

test("each round of the torture counts as a test, and impossible rounds count as skipped", () => {
  const log = [
    "SKIPPED full: this user may not mount a file system, or there is no C compiler",
    "seed 7",
    "round   0 calm     kept: 9 messages, 0 faults, settled in 159 ms",
    "round   1 kill     BROKEN: 9 messages, 2 faults, did not settle",
    "  I1: a round 3 kept: in a sentence",
    "rounds 2, of which 1 failed",
  ].join("\n");
  assert.deepEqual(countTorture(log), {
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: ["round   1 kill     BROKEN: 9 messages, 2 faults, did not settle"],
  });
});

test("each fuzz target counts as a test, and a broken one is named", () => {
  const log = [
    "fuzz: building the targets (about four minutes on two cores at first)",
    "fuzz: links         kept: 1000000 inputs, coverage 412",
    "fuzz: accounts      BROKEN: panicked at 'name'; the input is target/fuzz/found/accounts/crash-1",
    "a line about links kept: nothing",
  ].join("\n");
  assert.deepEqual(countFuzz(log), { passed: 1, failed: 1, skipped: 0, failures: [log.split("\n")[2]] });
});
