// Runs that are kept: what a record holds of thousands of images, of which a few have failed. Whole runs are in tests/cli.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { manifestIdentity, manifestText } from "../compiler/images/identity.ts";
import { failure, finished } from "../tests/fixtures/events.ts";
import { buildGuest, passes } from "../tests/fixtures/guest.ts";
import { bytecodeVirt as machine } from "../tests/fixtures/machines.ts";
import { RUN_OPTIONS } from "./commands/option-rows.ts";
import type { Io } from "./io.ts";
import type { LoadedImage } from "./load-specs.ts";
import { parseOptions } from "./options.ts";
import { readRecord, writeRecord } from "./run-record.ts";

function imageOf(path: string): LoadedImage {
  const image = buildGuest([{ name: path, tests: [{ name: "t", cases: [passes] }] }], machine, { file: path });
  return { ...image, path, isCached: true, madeOf: [path] };
}

/** Nobody may decode what passed: of a run of thousands of images that would take longer, and more memory, than the run. */
function untouchable(image: LoadedImage): LoadedImage {
  return {
    ...image,
    get module(): never {
      throw new Error(`${image.path} was decoded`);
    },
  };
}

test("what failed is kept, the first few of many; what passed is named by its identity alone", async (context) => {
  const cache = mkdtempSync(join(tmpdir(), "guestspec-record-"));
  context.after(() => rmSync(cache, { recursive: true, force: true }));
  const io: Io = {
    out: () => {},
    err: () => {},
    status: () => {},
    env: { XDG_CACHE_HOME: cache },
    stdoutIsTty: false,
    outColor: false,
    errColor: false,
    isCi: false,
    columns: () => 80,
  };
  const good = ["a.gspec", "b.gspec"].map(imageOf).map(untouchable);
  const bad = Array.from({ length: 10 }, (_, index) => imageOf(`bad${index}.gspec`));
  const notRun = untouchable(imageOf("z.gspec"));
  const resultOf = (image: LoadedImage, parts: Parameters<typeof finished>[0]) =>
    finished({ file: image.path, suite: image.path, id: image.path, target: machine.target, engine: "embedded", ...parts });
  const events = [
    ...good.map((image) => resultOf(image, {})),
    ...bad.map((image) => resultOf(image, { verdict: "fail", failures: [failure({ kind: "check", message: "x" })] })),
  ];
  const options = parseOptions(RUN_OPTIONS, [], "run", {});
  const folder = await writeRecord({ options, events, images: [...good, ...bad, notRun], targets: [], exitCode: 1 }, io);
  const { images, failed, tests } = readRecord(folder);
  assert.equal(tests, 12);
  assert.deepEqual(
    failed,
    bad.map(({ path }) => path),
  );
  assert.deepEqual(
    images.map(({ file, identity, kept }) => ({ file, identity, isKept: kept !== null })),
    [...good, ...bad].map(({ path, manifest }, index) => ({
      file: path,
      identity: manifestIdentity(manifestText(manifest)),
      isKept: index >= 2 && index < 10,
    })),
  );
  for (const { kept } of images) {
    if (kept !== null)
      assert.equal(
        createHash("sha256")
          .update(readFileSync(join(folder, kept.file)))
          .digest("hex"),
        kept.sha256,
      );
  }
  assert.equal(readdirSync(join(folder, "images")).length, 16, "an image and a manifest each");
});
