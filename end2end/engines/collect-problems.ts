/**
 * Collects the errors of a page, because neither protocol reports all of them. Runs in the page, so it uses no outer variables.
 */
export function collectProblems(): void {
  const page = window as unknown as { problems?: string[] };
  if (page.problems) return;
  const problems: string[] = [];
  page.problems = problems;
  const report = (what: string) => problems.push(`${location.pathname}: ${what}`);
  addEventListener("error", ({ message, filename, lineno }) => message && report(`thrown: ${message} (${filename}:${lineno})`));
  addEventListener("unhandledrejection", ({ reason }) => report(`rejected: ${reason}`));
  addEventListener("securitypolicyviolation", ({ disposition, violatedDirective, blockedURI }) => {
    if (disposition === "enforce") report(`policy: ${violatedDirective} ${blockedURI}`);
  });
  for (const kind of ["error", "warn", "log"] as const) {
    const original = console[kind].bind(console);
    console[kind] = (...args: unknown[]) => {
      const text = args.map(String).join(" ");
      if (kind === "error" || /hydrat/i.test(text)) report(`${kind}: ${text}`);
      original(...args);
    };
  }
}
