import type { Page } from "@playwright/test";

/** Changes the HTML of each page in transit, as a proxy does. */
export async function rewrite(page: Page, change: (html: string) => string): Promise<void> {
  // Such a page has no address for the browser, so its socket to this machine needs a permission.
  await page.context().grantPermissions(["local-network-access"]);
  await page.route(
    (url) => !/\.\w+$|^\/(api|ws|pkg)/.test(url.pathname),
    async (route) => {
      if (route.request().resourceType() !== "document" || route.request().method() !== "GET") return route.continue();
      const response = await route.fetch();
      await route.fulfill({ response, body: change(await response.text()) });
    },
  );
}

/** Moves the server's clock ahead, as seen in its pages and sockets. */
export async function turnServerClock(page: Page, ms: number): Promise<void> {
  const shift = (_: string, before: string, time: string) => before + (Number(time) + ms);
  await rewrite(page, (html) => html.replace(/(times\\*":\\*")(\d+)/, shift));
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => socket.send(String(text).replace(/("type":"hello".*"time":)(\d+)/, shift)));
  });
}
