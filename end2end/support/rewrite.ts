import type { Page } from "@playwright/test";

/** Changes the HTML of each page on its way, as a proxy does. */
export async function rewrite(page: Page, change: (html: string) => string): Promise<void> {
  // To the browser such a page comes from nowhere, and would have to ask for the socket of this machine.
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

/** Lets the server's clock be ahead, by its pages and by its sockets. */
export async function turnServerClock(page: Page, ms: number): Promise<void> {
  const later = (_: string, before: string, time: string) => before + (Number(time) + ms);
  await rewrite(page, (html) => html.replace(/(times\\*":\\*")(\d+)/, later));
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => socket.send(String(text).replace(/("type":"hello".*"time":)(\d+)/, later)));
  });
}
