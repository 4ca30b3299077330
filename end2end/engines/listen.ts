/**
 * Collects in the page what must not happen there, because neither protocol tells all of it. Runs in the page, so it uses nothing
 * from outside.
 */
export function listen(): void {
  const page = window as unknown as { problems?: string[] };
  if (page.problems) return;
  const problems: string[] = [];
  page.problems = problems;
  const say = (what: string) => problems.push(`${location.pathname}: ${what}`);
  addEventListener("error", ({ message, filename, lineno }) => message && say(`thrown: ${message} (${filename}:${lineno})`));
  addEventListener("unhandledrejection", ({ reason }) => say(`rejected: ${reason}`));
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => say(`policy: ${violatedDirective} ${blockedURI}`));
  for (const kind of ["error", "warn", "log"] as const) {
    const before = console[kind].bind(console);
    console[kind] = (...said: unknown[]) => {
      const text = said.map(String).join(" ");
      if (kind === "error" || /hydrat/i.test(text)) say(`${kind}: ${text}`);
      before(...said);
    };
  }
}
