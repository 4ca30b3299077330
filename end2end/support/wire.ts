import type { BrowserContext, WebSocketRoute } from "@playwright/test";

/** The way between one person's pages and the server, which a test can cut and mend while pages still load. */
export class Wire {
  #cut = false;
  #refusal: string | undefined;
  readonly #sockets = new Set<WebSocketRoute>();

  private constructor() {}

  /** Takes hold of all sockets and sends of a browser. Only pages that load afterwards go through it. */
  static async of(context: BrowserContext): Promise<Wire> {
    const wire = new Wire();
    await context.routeWebSocket(/\/ws$/, (socket) => wire.#carry(socket));
    await context.route("**/api/send_message", (route) => (wire.#cut ? route.abort() : route.continue()));
    return wire;
  }

  async cut(): Promise<void> {
    this.#cut = true;
    for (const socket of this.#sockets) await socket.close();
    this.#sockets.clear();
  }

  mend(): void {
    this.#cut = false;
  }

  /** Answers each message with this refusal, in the server's place. */
  refuse(code: string | undefined): void {
    this.#refusal = code;
  }

  #carry(socket: WebSocketRoute): void {
    if (this.#cut) {
      void socket.close();
      return;
    }
    this.#sockets.add(socket);
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const { type, client_id, conversation } = JSON.parse(String(text)) as Record<string, string>;
      if (type === "send" && this.#refusal) {
        socket.send(JSON.stringify({ type: "refused", re: type, client_id, conversation, code: this.#refusal }));
      } else {
        server.send(text);
      }
    });
  }
}
