import { Cluster } from "../support/cluster";
import { expectSameOrder } from "../support/pages";
import type { User } from "../support/user";
import { expect, test as base } from "../support/test";
import { OUTAGE } from "../support/watch";

interface Fixtures {
  /** Creates a user whose browser uses only node 1 or 2, or both through their common address. */
  at: (name: string, node?: number) => Promise<User>;
}

interface WorkerFixtures {
  cluster: Cluster;
}

const test = base.extend<Fixtures, WorkerFixtures>({
  cluster: [
    async ({}, use) => {
      const cluster = await Cluster.create(2);
      await use(cluster);
      await cluster.destroy();
    },
    { scope: "worker", timeout: 240_000 },
  ],

  baseURL: async ({ cluster }, use) => use(cluster.url),

  at: async ({ users, cluster }, use) => use((name, node) => users.create(name, node === undefined ? cluster : cluster.node(node))),
});

// A single cluster for all tests.
test.describe.configure({ mode: "default" });

/** Upper bound, on a busy machine, for a page to reconnect after its node stopped. */
const RETURN = 120_000;

test("two users on two nodes exchange messages as on a single node", async ({ at }) => {
  const [alice, bob] = [await at("Ada Ames", 1), await at("Ben Bale", 2)];
  const conversation = await alice.apiConversation(bob);
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  const header = aliceHere.page.getByRole("main");
  await expect(header.getByText("online").first()).toBeVisible();
  await expect(bobHere.page.getByRole("main").getByText("online").first()).toBeVisible();

  await aliceHere.write("Which node are you on?");
  await expect(bobHere.message("Which node are you on?")).toBeVisible();
  await aliceHere.expectState("Which node are you on?", "read");
  await bobHere.box.pressSequentially("The oth");
  await expect(header.getByText(/typing/).first()).toBeVisible();
  await bobHere.write("The other one");
  await expect(aliceHere.message("The other one")).toBeVisible();
  await bobHere.expectState("The other one", "read");
  await expect(header.getByText(/typing/)).toHaveCount(0);

  const words = Array.from({ length: 20 }, (_, n) => `Word ${n + 1} of twenty`);
  for (const [n, word] of words.entries()) await (n % 2 ? bobHere : aliceHere).write(word);
  for (const word of words) await expect(aliceHere.message(word)).toHaveCount(1);
  for (const word of words) await expect(bobHere.message(word)).toHaveCount(1);
  await expectSameOrder(aliceHere, bobHere, ["Which node are you on?", "The other one", ...words]);
});

test("signing out at a node ends the page at another node", async ({ at, cluster }) => {
  const alice = await at("Cara Cole", 1);
  const home = await alice.home();
  await alice.apiEndSession(cluster.node(2));
  await expect(home.page.getByRole("link", { name: "Sign in" })).toBeVisible();
});

test("nodes are replaced one after another while users exchange messages", async ({ at, cluster, watch }) => {
  watch.allow(OUTAGE, /status of 503/);
  const [alice, bob] = [await at("Dora Dean"), await at("Eli East")];
  const conversation = await alice.apiConversation(bob);
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  const bodies: string[] = [];
  const writeNext = async (body: string) => {
    bodies.push(body);
    await (bodies.length % 2 ? aliceHere : bobHere).write(body);
  };
  for (const node of [1, 2]) {
    await writeNext(`Before node ${node} goes`);
    await cluster.command("stop", node);
    await writeNext(`Without node ${node}`);
    await cluster.command("start", node);
    await writeNext(`With node ${node} again`);
  }
  await expectSameOrder(aliceHere, bobHere, bodies, RETURN);
  await expect(aliceHere.page.getByText("Not sent")).toHaveCount(0);
});

test("after a kill of a node, its users continue at the other node", async ({ at, cluster, watch }) => {
  watch.allow(OUTAGE, /status of 50[23]/);
  const [alice, bob] = [await at("Fay Finn"), await at("Gus Gray")];
  const conversation = await alice.apiConversation(bob);
  const aliceHere = await alice.open(conversation, bob);
  const bobHere = await bob.open(conversation, alice);
  await aliceHere.write("Still here?");
  await expect(bobHere.message("Still here?")).toBeVisible();
  await cluster.command("kill", 1);
  await aliceHere.write("And now?");
  await bobHere.write("Yes, still");
  await expect(bobHere.message("And now?")).toBeVisible({ timeout: RETURN });
  await expect(aliceHere.message("Yes, still")).toBeVisible({ timeout: RETURN });
  await aliceHere.expectState("And now?", "read", RETURN);
  await cluster.command("start", 1);
  await bobHere.write("Both are back");
  await expect(aliceHere.message("Both are back")).toBeVisible({ timeout: RETURN });
});
