import { connect, createServer, type Server as TcpServer, type Socket } from "node:net";
import { listen } from "./listen";

/** A TCP proxy in front of a server. It can drop all data without closing a connection, as a phone between two cells does. */
export class TcpProxy {
  isSilent = false;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly url: string,
    private readonly listener: TcpServer,
  ) {}

  static async create(): Promise<TcpProxy> {
    const listener = createServer();
    const proxy = new TcpProxy(`http://127.0.0.1:${await listen(listener)}`, listener);
    listener.on("connection", (client) => {
      const server = connect(proxy.#port, "127.0.0.1");
      for (const [from, to] of [[client, server], [server, client]] as const) {
        proxy.#sockets.add(from);
        from.on("data", (bytes) => proxy.isSilent || to.write(bytes));
        from.on("close", () => to.destroy());
        from.on("error", () => to.destroy());
      }
    });
    return proxy;
  }

  /** Sets the server to which the proxy connects. */
  to(url: string): void {
    this.#port = Number(new URL(url).port);
  }

  end(): void {
    this.listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
