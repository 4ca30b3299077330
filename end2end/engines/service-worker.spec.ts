import { ApiUser } from "../support/api-user";
import { ENGINES, expect, test } from "./test";

// With navigation preload, WebKit refused the scripts of one sign-in page in twenty-five.
const VISITS = 60;

for (const engine of ENGINES) {
  test(`${engine}: the scripts of every page run when the service worker fetches the page`, async ({ server, start }) => {
    const anna = await ApiUser.create(server, "anna");
    const tab = await start(engine);
    await tab.open(`${server.url}/sign-in`);
    const call = (name: string, fields: Record<string, string>) =>
      tab.evaluate(
        async (name, fields) => {
          const body = new URLSearchParams(fields);
          return (await fetch(`/api/${name}`, { method: "POST", headers: { Accept: "application/json" }, body })).status;
        },
        name,
        fields,
      );
    const account = { username: anna.name, password: `${anna.name} likes long walks` };
    expect(await call("sign_in", account)).toBe(200);
    await tab.open(`${server.url}/`);
    await tab.until("the service worker fetches pages", () => navigator.serviceWorker.controller?.state === "activated");
    expect(await call("sign_out", {})).toBe(200);
    for (let visit = 0; visit < VISITS; visit += 1) await tab.open(`${server.url}/sign-in`);
    expect(await tab.problems(), "the pages log no error").toEqual([]);
  });
}
