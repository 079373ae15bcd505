// The memory of file hashes, as processes one after the other see it: what is settled is not read again, what changed is, and a table that
// nobody can read is as good as none.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { hashFile } from "./file-hashes.ts";

const folder = mkdtempSync(join(tmpdir(), "guestspec-hashes-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const table = join(folder, "files.json");
const settled = fileURLToPath(new URL("../../package.json", import.meta.url));

/**
 * The hashes that a process of its own gives for the paths, the first of which it writes itself if `text` is given. A thread stands for it,
 * which has modules and an end of its own too and starts in a fifth of the time.
 */
async function hashesOf(paths: readonly string[], text: string | null = null): Promise<readonly (string | null)[]> {
  const script = `
    import { writeFileSync } from "node:fs";
    import { parentPort } from "node:worker_threads";
    import { openFileHashes } from ${JSON.stringify(new URL("./file-hashes.ts", import.meta.url).href)};
    const hashes = openFileHashes(${JSON.stringify(folder)});
    ${text === null ? "" : `writeFileSync(${JSON.stringify(paths[0])}, ${JSON.stringify(text)});`}
    parentPort.postMessage(${JSON.stringify(paths)}.map(hashes));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { execArgv: [] });
  const ended = once(worker, "exit");
  const [answer] = (await once(worker, "message")) as [readonly (string | null)[]];
  assert.deepEqual(await ended, [0]);
  return answer;
}

interface Stored {
  readonly version: number;
  readonly files: Record<string, (number | string)[]>;
}

const readStored = (): Stored => JSON.parse(readFileSync(table, "utf8")) as Stored;

test("a file that is as it was is not read again", async () => {
  const fresh = join(folder, "fresh.gspec");
  const real = hashFile(settled);
  // It writes the file itself, so that no delay between two processes makes it an old one.
  const circle = join(folder, "circle.gspec");
  symlinkSync(circle, circle);
  assert.deepEqual(await hashesOf([fresh, settled, join(folder, "missing"), folder, circle], "suite"), [hashFile(fresh), real, null, null, null]);

  const stored = readStored();
  // What was just written may be written again within the same tick.
  assert.deepEqual(Object.keys(stored.files), [settled]);
  const row = stored.files[settled] ?? [];
  assert.equal(row[4], real);
  writeFileSync(table, JSON.stringify({ ...stored, files: { [settled]: [...row.slice(0, 4), "remembered"] } }));
  assert.deepEqual(await hashesOf([settled]), ["remembered"]);

  for (const column of [0, 1, 2, 3]) {
    const changed = [...row.slice(0, 4), "remembered"].map((value, index) => (index === column ? Number(value) - 1 : value));
    writeFileSync(table, JSON.stringify({ ...stored, files: { [settled]: changed } }));
    assert.deepEqual(await hashesOf([settled]), [real], `column ${column}`);
    assert.equal(readStored().files[settled]?.[4], real, `column ${column} is remembered anew`);
  }
});

test("a table that is torn or of another layout is as good as none", async () => {
  for (const text of ["", '{"version":1,"fi', "null", "[]", '{"version":2,"files":{}}', '{"version":1}']) {
    writeFileSync(table, text);
    assert.deepEqual(await hashesOf([settled]), [hashFile(settled)], text);
    assert.deepEqual(Object.keys(readStored().files), [settled], text);
  }
});
