import { type BrowserContext, expect, type WebSocketRoute } from "@playwright/test";

/** The connection between a user's pages and the server. A test can cut and restore it while pages still load. */
export class Network {
  #cut = false;
  #refused: { type: string; code: string } | undefined;
  readonly #refusals = new Set<string>();
  readonly #sockets = new Set<WebSocketRoute>();

  private constructor() {}

  /** Intercepts all sockets and `send_message` calls of a browser. Affects only pages that load afterwards. */
  static async of(context: BrowserContext): Promise<Network> {
    const network = new Network();
    await context.routeWebSocket(/\/ws$/, (socket) => network.#forward(socket));
    await context.route("**/api/send_message", (route) => (network.#cut ? route.abort() : route.continue()));
    return network;
  }

  async cut(): Promise<void> {
    this.#cut = true;
    for (const socket of this.#sockets) await socket.close();
    this.#sockets.clear();
  }

  restore(): void {
    this.#cut = false;
  }

  /** Answers each frame of a type with this refusal instead of forwarding the frame. */
  refuse(code: string | undefined, type = "send"): void {
    this.#refused = code === undefined ? undefined : { type, code };
  }

  /** Waits until a frame of this type was refused. */
  async refused(type: string): Promise<void> {
    await expect.poll(() => this.#refusals.has(type), { message: `a refused ${type}` }).toBe(true);
  }

  #forward(socket: WebSocketRoute): void {
    if (this.#cut) {
      void socket.close();
      return;
    }
    this.#sockets.add(socket);
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const { type, client_id, conversation } = JSON.parse(String(text)) as Record<string, string>;
      const refused = this.#refused;
      if (refused && type === refused.type) {
        this.#refusals.add(type);
        const answer = { type: "refused", re: type, client_id, conversation, code: refused.code, retry_after_ms: 250 };
        socket.send(JSON.stringify(answer));
      } else {
        server.send(text);
      }
    });
  }
}
