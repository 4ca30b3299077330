import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server as HttpServer } from "node:http";
import { connect, type Socket } from "node:net";
import { listen } from "./listen";

/** A proxy's treatment of WebSocket handshakes: pass, refuse, strip the Upgrade header, or never answer. */
export type Sockets = "pass" | "refuse" | "strip" | "hang";

/** A reverse proxy in front of a server, with a choice of how it treats WebSockets. */
export class Proxy {
  /** Applies to new handshakes; open sockets stay open. */
  sockets: Sockets = "pass";
  #port = 0;
  readonly #open = new Set<Socket>();

  private constructor(
    readonly url: string,
    private readonly http: HttpServer,
  ) {}

  static async create(): Promise<Proxy> {
    const http = createServer();
    const proxy = new Proxy(`http://127.0.0.1:${await listen(http)}`, http);
    http.on("connection", (socket) => proxy.#keep(socket));
    http.on("request", (from, to) => {
      const headers = { ...from.headers };
      const on = request({ port: proxy.#port, host: "127.0.0.1", method: from.method, path: from.url, headers }, (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(to);
      });
      on.on("error", () => to.writeHead(502).end());
      from.pipe(on);
    });
    http.on("upgrade", (from, socket: Socket) => proxy.#upgrade(from, socket));
    return proxy;
  }

  /** Sets the server to which the proxy connects. */
  to(url: string): void {
    this.#port = Number(new URL(url).port);
  }

  /** Closes all open sockets. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async destroy(): Promise<void> {
    this.cut();
    this.http.close();
    await once(this.http, "close");
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
    socket.on("error", () => socket.destroy());
  }

  #upgrade(from: IncomingMessage, socket: Socket): void {
    if (this.sockets === "hang") return;
    if (this.sockets === "refuse") {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    const server = connect(this.#port, "127.0.0.1");
    this.#keep(server);
    const dropped = this.sockets === "strip" ? ["upgrade", "connection"] : [];
    const head = [`${from.method} ${from.url} HTTP/1.1`];
    for (let index = 0; index < from.rawHeaders.length; index += 2) {
      const name = from.rawHeaders[index] ?? "";
      if (!dropped.includes(name.toLowerCase())) head.push(`${name}: ${from.rawHeaders[index + 1]}`);
    }
    server.write(`${head.join("\r\n")}\r\n\r\n`);
    server.pipe(socket);
    socket.pipe(server);
    server.on("close", () => socket.destroy());
    socket.on("close", () => server.destroy());
  }
}
