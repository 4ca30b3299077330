import { copyFile, cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { binary } from "./server";

/** The same server with the page of another build: its style sheet has another hash. */
export class AnotherBuild {
  private constructor(
    private readonly directory: string,
    readonly binary: string,
  ) {}

  static async make(): Promise<AnotherBuild> {
    const from = path.dirname(binary);
    const to = await mkdtemp(path.join(tmpdir(), "duet-build-"));
    const other = path.join(to, path.basename(binary));
    await copyFile(binary, other);
    await cp(path.join(from, "site"), path.join(to, "site"), { recursive: true });
    const hashes = await readFile(path.join(from, "hash.txt"), "utf8");
    const style = hashes.match(/^css: (\S+)$/m)?.[1] ?? "";
    const changed = [...style].reverse().join("");
    await writeFile(path.join(to, "hash.txt"), hashes.replace(style, changed));
    const files = path.join(to, "site/pkg");
    for (const file of await readdir(files)) {
      if (file.includes(style)) await rename(path.join(files, file), path.join(files, file.replace(style, changed)));
    }
    return new AnotherBuild(to, other);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
