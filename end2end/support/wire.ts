import { type BrowserContext, expect, type WebSocketRoute } from "@playwright/test";

/** The way between one person's pages and the server, which a test can cut and mend while pages still load. */
export class Wire {
  #cut = false;
  #refused: { type: string; code: string } | undefined;
  readonly #refusals = new Set<string>();
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

  /** Answers each frame of a type with this refusal, in the server's place. */
  refuse(code: string | undefined, type = "send"): void {
    this.#refused = code === undefined ? undefined : { type, code };
  }

  /** Waits until a frame of this type was refused. */
  async refused(type: string): Promise<void> {
    await expect.poll(() => this.#refusals.has(type), { message: `a refused ${type}` }).toBe(true);
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
