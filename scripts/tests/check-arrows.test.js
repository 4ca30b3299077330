const { test } = require("node:test");
const assert = require("node:assert/strict");
const { wrongArrows, strangersInTheBrowser } = require("../check-arrows");

const crate = (name, dependencies, features = {}) => ({
  name,
  features,
  dependencies: dependencies.map((d) => ({ optional: false, ...(typeof d === "string" ? { name: d } : d) })),
});
const workspace = () => [
  crate("protocol", ["serde"]),
  crate("chat", ["protocol", "sqlx"]),
  crate("app", ["protocol", { name: "chat", optional: true }], { ssr: ["dep:chat"], hydrate: [] }),
  crate("frontend", ["app"]),
  crate("server", ["app", "chat", "protocol"]),
];
const replaced = (other) => workspace().map((c) => (c.name === other.name ? other : c));

test("the allowed dependencies pass", () => {
  assert.deepEqual(wrongArrows(workspace()), []);
});

test("any other dependency between crates is refused", () => {
  assert.match(wrongArrows(replaced(crate("chat", ["protocol", "app"])))[0], /chat -> app is not allowed/);
  assert.match(wrongArrows(replaced(crate("frontend", ["app", "chat"])))[0], /frontend -> chat is not allowed/);
});

test("a dependency that only tests may have is refused elsewhere", () => {
  const withHarness = (kind) => [crate("harness", ["protocol"]), crate("chat", ["protocol", { name: "harness", kind }]), crate("protocol", [])];
  assert.deepEqual(wrongArrows(withHarness("dev")), []);
  assert.match(wrongArrows(withHarness(null))[0], /chat -> harness is not allowed/);
});

test("a crate without a rule is refused", () => {
  assert.match(wrongArrows([...workspace(), crate("helpers", [])])[0], /helpers is not on the map/);
});

test("a dependency of app on chat that is not optional is refused", () => {
  assert.match(wrongArrows(replaced(crate("app", ["protocol", "chat"])))[0], /must be optional/);
});

test("a feature of app other than ssr that includes chat is refused", () => {
  const app = (features) => replaced(crate("app", ["protocol", { name: "chat", optional: true }], features));
  assert.match(wrongArrows(app({ ssr: ["dep:chat"], hydrate: ["chat/client"] }))[0], /switched on by hydrate/);
  assert.match(wrongArrows(app({ ssr: ["dep:chat"], default: ["ssr"] }))[0], /default features/);
});

test("a crate of the server in the WASM build is refused", () => {
  const names = workspace().map((c) => c.name);
  assert.deepEqual(strangersInTheBrowser("frontend v0.1.0 (x)\napp v0.1.0\nprotocol v0.1.0\nserde v1.0.0", names), []);
  assert.deepEqual(strangersInTheBrowser("frontend v0.1.0\nchat v0.1.0 (x)", names), ["chat reaches the WASM build"]);
});
