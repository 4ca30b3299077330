import { writeFile } from "node:fs/promises";
import path from "node:path";
import WebSocket from "ws";
import { collectProblems } from "./collect-problems";
import type { Processes } from "./processes";
import { type Actions, type Size, Tab } from "./tab";

// The browser connects only to the server under test.
const PREFERENCES = {
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.downloads.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "intl.accept_languages": "en-GB",
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};

interface Answer {
  id?: number;
  type: string;
  result?: unknown;
  error?: string;
  message?: string;
}

/** Firefox, controlled by WebDriver BiDi, which needs no separate driver. */
export class Firefox extends Tab {
  #last = 0;
  #context = "";
  readonly #pending = new Map<number, (answer: Answer) => void>();

  private constructor(
    processes: Processes,
    private readonly socket: WebSocket,
  ) {
    super();
    socket.on("message", (text) => {
      const answer = JSON.parse(String(text)) as Answer;
      if (answer.id !== undefined) this.#pending.get(answer.id)?.(answer);
    });
    socket.on("close", () => {
      for (const answer of this.#pending.values()) answer({ type: "error", error: "Firefox has exited", message: processes.output });
    });
  }

  static async start(processes: Processes): Promise<Firefox> {
    const preferences = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
    await writeFile(path.join(processes.directory, "user.js"), preferences.join(""));
    const args = ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", processes.directory];
    const child = processes.start("firefox-esr", args);
    const address = await processes.waitForOutput(child, 2, /WebDriver BiDi listening on (ws:\S+)/);
    const socket = new WebSocket(`${address}/session`);
    await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
    const firefox = new Firefox(processes, socket);
    await firefox.#begin();
    return firefox;
  }

  async #begin(): Promise<void> {
    await this.#send("session.new", { capabilities: {} });
    const { contexts } = (await this.#send("browsingContext.getTree", {})) as { contexts: { context: string }[] };
    this.#context = contexts[0]?.context ?? "";
    await this.#send("browsingContext.activate", { context: this.#context });
    await this.#send("script.addPreloadScript", { functionDeclaration: String(collectProblems) });
  }

  protected async load(url: string): Promise<void> {
    await this.#send("browsingContext.navigate", { context: this.#context, url, wait: "interactive" });
  }

  async resize(viewport: Size): Promise<void> {
    await this.#send("browsingContext.setViewport", { context: this.#context, viewport });
  }

  protected async act(actions: Actions): Promise<void> {
    await this.#send("input.performActions", { context: this.#context, actions });
  }

  protected async call(script: string, given: string): Promise<string> {
    const answer = (await this.#send("script.callFunction", {
      functionDeclaration: script,
      arguments: [{ type: "string", value: given }],
      target: { context: this.#context },
      awaitPromise: true,
    })) as { result?: { value: string }; exceptionDetails?: { text: string } };
    if (!answer.result) throw new Error(answer.exceptionDetails?.text);
    return answer.result.value;
  }

  async #send(method: string, params: object): Promise<unknown> {
    const id = ++this.#last;
    const answer = await new Promise<Answer>((resolve) => {
      this.#pending.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
    this.#pending.delete(id);
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error}: ${answer.message}`);
    return answer.result;
  }
}
