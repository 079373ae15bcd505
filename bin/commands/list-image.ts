// `guestspec list IMAGE`: what an image file holds, from its own manifests, without the specs. Each line has the word that makes the image
// run just this test when it runs by itself; JSON has the facts of `list` that do not depend on an engine.

import { readFileSync } from "node:fs";
import { isElf, readImageFile, type ImagePayload } from "../../compiler/images/image-file.ts";
import type { ManifestCase, ManifestTest } from "../../compiler/images/manifest.ts";
import { caseName } from "../../runtime/engines/case-id.ts";
import { formatJson } from "../../runtime/reporters/json-text.ts";
import { usageError } from "../errors.ts";
import type { Io } from "../io.ts";

/** Whether a word names an image file, by its first bytes. */
export function isImageFile(path: string): boolean {
  try {
    return isElf(readFileSync(path).subarray(0, 4));
  } catch {
    // No file, or a folder: a place or a word as any other.
    return false;
  }
}

interface Listed {
  readonly path: string;
  readonly payload: number;
  readonly id: string;
  readonly select: string;
  readonly test: ManifestTest;
  readonly row: ManifestCase;
  readonly suite: string;
  readonly files: readonly string[];
}

function casesIn(path: string, { manifest }: ImagePayload, payload: number): readonly Listed[] {
  const { files } = manifest;
  return manifest.suites.flatMap((suite) =>
    suite.tests.flatMap((test) =>
      test.cases.map((row): Listed => {
        const id = caseName(manifest, suite, test, row);
        const select = test.parameterised ? `case=${test.index}:${row.row}` : `case=${test.index}`;
        return { path, payload, id, select, test, row, suite: suite.name, files };
      }),
    ),
  );
}

function describe({ path, payload, id, select, test, row, suite, files }: Listed): object {
  const { name, line, endLine, tags, needs, covers } = test;
  const file = files[test.file] ?? "?";
  return {
    image: path,
    payload,
    id,
    select,
    file,
    line,
    endLine,
    suite,
    test: name,
    row: row.name,
    rowFile: files[row.file] ?? file,
    rowLine: row.line,
    tags: [...tags, ...(row.tags ?? [])],
    needs,
    covers: [...covers, ...(row.covers ?? [])],
    timeoutNs: row.timeout ?? test.timeout,
    xfail: row.xfail,
    skip: row.skip,
  };
}

export function listImages(paths: readonly string[], isJson: boolean, io: Io): void {
  const listed = paths.flatMap((path) => {
    const result = readImageFile(readFileSync(path));
    if (!result.ok) throw usageError(`${path} cannot be listed: ${result.reason}`);
    return result.file.payloads.flatMap((payload, index) => casesIn(path, payload, index));
  });
  if (isJson) io.out(`${formatJson({ version: 1, tests: listed.map(describe) }, 2)}\n`);
  else io.out(listed.map(({ id, select }) => `${id}  ${select}\n`).join(""));
}
