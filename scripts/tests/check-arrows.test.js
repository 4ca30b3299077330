const { test } = require("node:test");
const assert = require("node:assert/strict");
const { wrongArrows, strangersInTheBrowser } = require("../check-arrows");

const crate = (name, dependencies, features = {}) => ({
  name,
  features,
  dependencies: dependencies.map((d) => ({ optional: false, ...(typeof d === "string" ? { name: d } : d) })),
});
const house = () => [
  crate("protocol", ["serde"]),
  crate("chat", ["protocol", "sqlx"]),
  crate("app", ["protocol", { name: "chat", optional: true }], { ssr: ["dep:chat"], hydrate: [] }),
  crate("frontend", ["app"]),
  crate("server", ["app", "chat", "protocol"]),
];
const replaced = (other) => house().map((c) => (c.name === other.name ? other : c));

test("the house as drawn passes", () => {
  assert.deepEqual(wrongArrows(house()), []);
});

test("an arrow that is not drawn is refused", () => {
  assert.match(wrongArrows(replaced(crate("chat", ["protocol", "app"])))[0], /chat -> app is not allowed/);
  assert.match(wrongArrows(replaced(crate("frontend", ["app", "chat"])))[0], /frontend -> chat is not allowed/);
});

test("what tests may use, nothing else may", () => {
  const house = (kind) => [crate("harness", ["protocol"]), crate("chat", ["protocol", { name: "harness", kind }]), crate("protocol", [])];
  assert.deepEqual(wrongArrows(house("dev")), []);
  assert.match(wrongArrows(house(null))[0], /chat -> harness is not allowed/);
});

test("a crate that is not on the map is refused", () => {
  assert.match(wrongArrows([...house(), crate("helpers", [])])[0], /helpers is not on the map/);
});

test("app may not always depend on chat", () => {
  assert.match(wrongArrows(replaced(crate("app", ["protocol", "chat"])))[0], /must be optional/);
});

test("no other feature than ssr brings chat into app", () => {
  const app = (features) => replaced(crate("app", ["protocol", { name: "chat", optional: true }], features));
  assert.match(wrongArrows(app({ ssr: ["dep:chat"], hydrate: ["chat/client"] }))[0], /switched on by hydrate/);
  assert.match(wrongArrows(app({ ssr: ["dep:chat"], default: ["ssr"] }))[0], /default features/);
});

test("a crate of the server in the browser's tree is refused", () => {
  const names = house().map((c) => c.name);
  assert.deepEqual(strangersInTheBrowser("frontend v0.1.0 (x)\napp v0.1.0\nprotocol v0.1.0\nserde v1.0.0", names), []);
  assert.deepEqual(strangersInTheBrowser("frontend v0.1.0\nchat v0.1.0 (x)", names), ["chat reaches the WASM build"]);
});
