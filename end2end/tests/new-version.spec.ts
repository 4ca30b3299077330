import { AnotherBuild } from "../support/build";
import { ready } from "../support/pages";
import { expect, test } from "../support/test";
import { OUTAGE } from "../support/watch";

test("an open page reports a new version, waits for the user, and loses no draft", async ({ alice, bob, conversation, server, watch }) => {
  watch.allow(OUTAGE);
  const here = await alice.open(conversation, bob);
  const { page } = here;
  const bar = page.getByRole("status").filter({ hasText: "A new version is available." });
  await expect(bar).toBeHidden();
  await here.write("Before");
  await here.expectStored("Before");
  let loads = 0;
  page.on("load", () => (loads += 1));

  // A restart of the same build is no new version.
  await server.restart();
  await here.write("The same build");
  await here.expectStored("The same build");
  await expect(bar).toBeHidden();

  await here.box.fill("Half a thought");
  const other = await AnotherBuild.make();
  try {
    server.binary = other.binary;
    await server.restart();
    await expect(bar).toBeVisible();
    await expect(here.box).toHaveValue("Half a thought");
    // The user continues as before.
    await here.box.fill("Half a thought, and more");
    expect(loads, "the page reloads only when asked").toBe(0);

    await bar.getByRole("button", { name: "Reload" }).click();
    await expect.poll(() => loads).toBe(1);
    await ready(page);
    await expect(here.box).toHaveValue("Half a thought, and more");
    await here.expectBodies("Before", "The same build");
    await here.write("After");
    await here.expectStored("After");
    await expect(bar).toBeHidden();
  } finally {
    await server.stop();
    await other.remove();
  }
});
