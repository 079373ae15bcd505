// What a project declares in guestspec.yaml, and the place of what is refused there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { parseProject } from "./project-file.ts";

test("a project declares its tags", () => {
  assert.deepEqual(parseProject("tags: [crypto, storage]\n"), { tags: ["crypto", "storage"], attributes: [] });
  assert.deepEqual(parseProject("attributes: [owner]\n"), { tags: [], attributes: ["owner"] });
  assert.deepEqual(parseProject("# nothing yet\n"), { tags: [], attributes: [] });
});

const mistakes: readonly (readonly [text: string, message: RegExp, help: RegExp])[] = [
  ["\ntag: [crypto]\n", /^guestspec\.yaml:2: unknown key `tag`$/, /`tags`/],
  ["tags: crypto\n", /^guestspec\.yaml:1: expected a list of tags, for example/, /found `crypto`/],
  ["tags:\n  - crypto\n  - two words\n", /^guestspec\.yaml:3: expected a tag, which consists of letters/, /found `two words`/],
  ["- crypto\n", /^guestspec\.yaml:1: expected a map of keys, for example/, /(?:)/],
  ["tags: [\n", /^guestspec\.yaml:\d+: /, /(?:)/],
];

for (const [text, message, help] of mistakes) {
  test(`${JSON.stringify(text)} is refused with its place`, () => {
    assert.throws(
      () => parseProject(text),
      (error) => {
        assert.ok(error instanceof CommandError);
        assert.equal(error.exitCode, EXIT.compile);
        assert.match(error.message, message);
        assert.match(error.help ?? "", help);
        return true;
      },
    );
  });
}
