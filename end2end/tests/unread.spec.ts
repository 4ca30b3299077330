import { ApiUser } from "../support/api-user";
import { HomePage, ready } from "../support/pages";
import { expect, test } from "../support/test";

/** More than the 50 entries of a page of the list. */
const PEOPLE = 70;

test("the total of unread messages includes conversations that are not loaded, and stays correct", async ({ server, alice }) => {
  test.slow();
  const me = await alice.apiId();
  const all: { who: ApiUser; id: string }[] = [];
  for (let n = 0; n < PEOPLE; n += 1) {
    const who = await ApiUser.create(server, `person${String(n).padStart(2, "0")}`);
    const id = await who.openConversation(me);
    await alice.apiAccept(id);
    await who.send(id, `Hello from ${who.name}`);
    all.push({ who, id });
  }
  const [oldest, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];

  const plain = await (await alice.context.request.get("/")).text();
  expect(plain, "as the server renders it").toContain("<title>(70) ");
  const home = await alice.home();
  const { page } = home;
  await expect(page).toHaveTitle(/^\(70\) /);
  await expect(home.list.getByRole("link").filter({ hasText: "person" })).toHaveCount(50);

  // In a conversation that the list does not contain yet: another message arrives, then another device reads everything.
  await oldest.who.send(oldest.id, "And another");
  await expect(page).toHaveTitle(/^\(71\) /);
  await alice.apiRead(second.id, 1);
  await expect(page).toHaveTitle(/^\(70\) /);
  await alice.apiRead(oldest.id, 2);
  await expect(page).toHaveTitle(/^\(68\) /);

  // The rest of the list loads and changes nothing.
  await home.list.getByRole("link").filter({ hasText: "person" }).last().scrollIntoViewIfNeeded();
  await expect(home.list.getByRole("link").filter({ hasText: "person" })).toHaveCount(PEOPLE);
  await expect(page).toHaveTitle(/^\(68\) /);

  // Opened by its address while the list does not contain it.
  const secondTab = await alice.tab();
  await secondTab.goto(`/c/${third.id}`);
  await ready(secondTab);
  await expect(secondTab).toHaveTitle(/^\(67\) /);
  await expect(page).toHaveTitle(/^\(67\) /);
  await expect(new HomePage(secondTab).list.getByRole("link").filter({ hasText: "person" })).toHaveCount(51);
  await new HomePage(secondTab).list.getByRole("link").filter({ hasText: "person" }).last().scrollIntoViewIfNeeded();
  await expect(new HomePage(secondTab).list.getByRole("link").filter({ hasText: "person" })).toHaveCount(PEOPLE);
  await expect(secondTab).toHaveTitle(/^\(67\) /);
});
