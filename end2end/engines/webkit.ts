import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../support/server";
import { collectProblems } from "./collect-problems";
import type { Processes } from "./processes";
import { type Actions, type Size, Tab } from "./tab";

// As narrow as a phone, which the window's toolbars would prevent.
const NARROW = "* { min-width: 0; padding: 0; margin: 0; border: 0; }";

/** A running call, as recorded in the page. */
interface Call {
  answer?: string;
  thrown?: string;
}

/** WebKit, in WebKitGTK's MiniBrowser, controlled by WebDriver, on a display of its own. */
export class WebKit extends Tab {
  #calls = 0;

  private constructor(
    private readonly processes: Processes,
    private readonly session: string,
  ) {
    super();
  }

  static async start(processes: Processes): Promise<WebKit> {
    const styles = path.join(processes.directory, "gtk-3.0");
    await mkdir(styles);
    await writeFile(path.join(styles, "gtk.css"), NARROW);
    const screen = processes.start("Xvfb", ["-displayfd", "3", "-screen", "0", "1600x1600x24", "-nolisten", "tcp"]);
    const display = await processes.waitForOutput(screen, 3, /(\d+)\n/);
    const port = await freePort();
    processes.start("WebKitWebDriver", [`--port=${port}`], {
      DISPLAY: `:${display}`,
      XDG_CONFIG_HOME: processes.directory,
      GDK_BACKEND: "x11",
      LIBGL_ALWAYS_SOFTWARE: "1",
      NO_AT_BRIDGE: "1",
    });
    const driver = `http://127.0.0.1:${port}`;
    await waitUntilListening(driver, processes);
    const options = { args: ["--automation", "--full-screen"] };
    // "none", so that problems can be collected while the page starts.
    const wanted = { browserName: "MiniBrowser", pageLoadStrategy: "none", "webkitgtk:browserOptions": options };
    const { sessionId } = (await post(`${driver}/session`, { capabilities: { alwaysMatch: wanted } })) as { sessionId: string };
    return new WebKit(processes, `${driver}/session/${sessionId}`);
  }

  protected async load(url: string): Promise<void> {
    await this.#execute("window.isLeft = true;");
    await post(`${this.session}/url`, { url });
    // The previous page answers for a while, and an unloading page answers with an error, or not at all.
    const listens = `if (window.isLeft || !document.body) return false; (${collectProblems})(); return true;`;
    for (const started = Date.now(); !(await this.#execute(listens, AbortSignal.timeout(5_000)).catch(() => false)); await delay(5)) {
      if (Date.now() - started > 60_000) throw new Error(`${url} did not load:\n${this.processes.output}`);
    }
  }

  async resize({ width, height }: Size): Promise<void> {
    await post(`${this.session}/window/rect`, { width, height });
    const fits = (wide: number, high: number) => innerWidth === wide && innerHeight === high;
    for (const started = Date.now(); !(await this.evaluate(fits, width, height)); await delay(20)) {
      if (Date.now() - started > 20_000) throw new Error(`the window did not become ${width} by ${height}`);
    }
  }

  protected async act(actions: Actions): Promise<void> {
    await post(`${this.session}/actions`, { actions });
  }

  // Polls, because a waiting script would hang if its page is unloaded.
  protected async call(script: string, given: string): Promise<string> {
    const id = ++this.#calls;
    const noted = `const call = (window.call = { id: ${id} });
      (${script})(arguments[0]).then((answer) => (call.answer = answer), (error) => (call.thrown = String(error)));`;
    await post(`${this.session}/execute/sync`, { script: noted, args: [given] });
    for (;;) {
      const { answer, thrown } = (await this.#execute(`return window.call?.id === ${id} ? window.call : { thrown: "the page was unloaded" };`)) as Call;
      if (thrown !== undefined) throw new Error(thrown);
      if (answer !== undefined) return answer;
      await delay(5);
    }
  }

  #execute(script: string, signal?: AbortSignal): Promise<unknown> {
    return post(`${this.session}/execute/sync`, { script, args: [] }, signal);
  }
}

async function waitUntilListening(driver: string, processes: Processes): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 60_000; await delay(25)) {
    const answer = await fetch(`${driver}/status`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`WebKitWebDriver did not answer:\n${processes.output}`);
}

async function post(address: string, body: object, signal?: AbortSignal): Promise<unknown> {
  const answer = await fetch(address, { method: "POST", body: JSON.stringify(body), ...(signal && { signal }) });
  const { value } = (await answer.json()) as { value: unknown };
  if (answer.ok) return value;
  const { error, message } = value as { error: string; message: string };
  throw new Error(`${new URL(address).pathname}: ${error}: ${message}`);
}
