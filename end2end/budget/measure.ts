import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "@playwright/test";

const results = path.join(__dirname, "../../target/bench/page.json");

/** Prints a figure, stores it beside the figures of the bench, and fails if it exceeds its budget. */
export function within(name: string, value: number, most: number, unit: string): void {
  console.log(`      ${name}: ${value.toFixed(1)} ${unit} of ${most}`);
  keep(name, { value, most, unit });
  expect(value, `${name}, in ${unit}`).toBeLessThanOrEqual(most);
}

function keep(name: string, figure: { value: number; most: number; unit: string }): void {
  mkdirSync(path.dirname(results), { recursive: true });
  const before = read();
  writeFileSync(results, `${JSON.stringify({ ...before, [name]: figure }, null, 2)}\n`);
}

function read(): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(results, "utf8"));
  } catch {
    return {};
  }
}
