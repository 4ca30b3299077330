import { once } from "node:events";
import { connect, createServer, type Server as TcpServer, type Socket } from "node:net";

/** The way to a server, which can fall silent without a word, as a phone's does between two cells. */
export class Line {
  isSilent = false;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly url: string,
    private readonly listener: TcpServer,
  ) {}

  static async create(): Promise<Line> {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const line = new Line(`http://127.0.0.1:${address.port}`, listener);
    listener.on("connection", (near) => {
      const far = connect(line.#port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]] as const) {
        line.#sockets.add(from);
        from.on("data", (bytes) => line.isSilent || to.write(bytes));
        from.on("close", () => to.destroy());
        from.on("error", () => to.destroy());
      }
    });
    return line;
  }

  /** Names the server behind. */
  to(url: string): void {
    this.#port = Number(new URL(url).port);
  }

  end(): void {
    this.listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
