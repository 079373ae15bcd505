// What words on the command line mean for files.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CommandError } from "./errors.ts";
import { findReadableSpecs, findSpecFiles, findSpecs } from "./find-specs.ts";

const files = ["a.gspec", "b.gspec.yaml", "notes.md", "sub/c.gspec", "sub/deeper/d.gspec", "node_modules/x/e.gspec", ".hidden/f.gspec"];
let folder = "";
let previous = "";

// A block of its own: files share one process, and hooks outside of blocks would hold for all of them.
describe("words on the command line", () => {
  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "guestspec-find-")));
    for (const path of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), "");
    }
    previous = process.cwd();
    process.chdir(folder);
  });

  after(() => {
    process.chdir(previous);
    rmSync(folder, { recursive: true, force: true });
  });

  const all = ["a.gspec", "b.gspec.yaml", "sub/c.gspec", "sub/deeper/d.gspec"];

  test("nothing means everything below, hidden and installed folders aside", () => {
    assert.deepEqual(findSpecs([]), { files: all, places: [], words: [] });
    assert.deepEqual(findSpecFiles(["."]), all);
  });

  test("files and folders, however written, each file once", () => {
    assert.deepEqual(findSpecs(["./sub/", "sub/c.gspec"]).files, ["sub/c.gspec", "sub/deeper/d.gspec"]);
    assert.deepEqual(findSpecs(["./a.gspec"]), { files: ["a.gspec"], places: ["a.gspec"], words: [] });
  });

  test("a place in a file and an id name their file; other words search among what is given", () => {
    assert.deepEqual(findSpecs(["sub/c.gspec:12"]), { files: ["sub/c.gspec"], places: ["sub/c.gspec:12"], words: [] });
    const id = "a.gspec::suite::test: [b/c.gspec:3]@bytecode/embedded";
    assert.deepEqual(findSpecs([id]), { files: ["a.gspec"], places: [id], words: [] });
    const escaped = "sub\\c.gspec::suite::a\\nb";
    assert.deepEqual(findSpecs([escaped]), { files: ["sub/c.gspec"], places: ["sub/c.gspec::suite::a\\nb"], words: [] });
    const long = `a.gspec::suite::${"long ".repeat(100)}`;
    assert.deepEqual(findSpecs([long]), { files: ["a.gspec"], places: [long], words: [] });
    assert.deepEqual(findSpecs(["long".repeat(2000)]).words.length, 1);
    assert.deepEqual(findSpecs(["overflow"]), { files: all, places: [], words: ["overflow"] });
    assert.deepEqual(findSpecs(["sub", "overflow"]), { files: ["sub/c.gspec", "sub/deeper/d.gspec"], places: ["sub"], words: ["overflow"] });
  });

  test("links are followed, but not in circles", () => {
    const links: readonly (readonly [string, string])[] = [
      [".", "sub/loop"],
      ["../..", "sub/deeper/up"],
      ["../a.gspec", "sub/link.gspec"],
      ["deeper", "sub/again"],
    ];
    for (const [target, path] of links) symlinkSync(target, path);
    execFileSync("mkfifo", ["sub/pipe.gspec"]);
    try {
      const found = ["sub/again/d.gspec", "sub/c.gspec", "sub/deeper/d.gspec", "sub/link.gspec"];
      assert.deepEqual(findSpecs(["sub"]).files, found);
      assert.throws(() => findSpecs(["sub/pipe.gspec"]), /is no file and no folder/);
    } finally {
      for (const [, path] of links) rmSync(path);
      rmSync("sub/pipe.gspec");
    }
  });

  test("a link that leads nowhere is told, if it has the name of a spec", () => {
    symlinkSync("nowhere.md", "sub/notes.md");
    try {
      for (const [target, path] of [
        ["nowhere.gspec", "sub/broken.gspec"],
        ["self.gspec", "sub/self.gspec"],
      ] as const) {
        assert.deepEqual(findSpecs(["sub"]).files, ["sub/c.gspec", "sub/deeper/d.gspec"]);
        symlinkSync(target, path);
        const isTold = (error: unknown): boolean => {
          assert.ok(error instanceof CommandError);
          assert.deepEqual([error.exitCode, error.message], [75, `cannot read ${path}: it is a link to ${target}, and nothing is there`]);
          return true;
        };
        for (const words of [["sub"], [path], []]) assert.throws(() => findSpecs(words), isTold);
        // Who goes on has looked at that place, and at no other.
        assert.deepEqual(
          findSpecs([path], () => {}),
          { files: [], places: [path], words: [] },
        );
        rmSync(path);
      }
    } finally {
      for (const path of ["sub/notes.md", "sub/broken.gspec", "sub/self.gspec"]) rmSync(path, { force: true });
    }
  });

  test("all that cannot be read is told at once, and the rest is found", () => {
    const links = ["sub/broken.gspec", "sub/deeper/broken.gspec"];
    for (const path of links) symlinkSync("nowhere.gspec", path);
    try {
      const told = links.map((path) => `cannot read ${path}: it is a link to nowhere.gspec, and nothing is there`).join("\nerror: ");
      const { files: found, problem } = findReadableSpecs(["sub"]);
      assert.deepEqual([found, problem?.exitCode, problem?.message], [["sub/c.gspec", "sub/deeper/d.gspec"], 75, told]);
      assert.throws(() => findSpecs([]), { message: told });
    } finally {
      for (const path of links) rmSync(path);
    }
    assert.deepEqual(findReadableSpecs(["sub"]), { files: ["sub/c.gspec", "sub/deeper/d.gspec"], problem: null });
  });

  test("a path that is not there, or no spec, is an error", () => {
    const message = (words: readonly string[]): string => {
      try {
        findSpecs(words);
      } catch (error) {
        assert.ok(error instanceof CommandError);
        return `${error.message} | ${error.help}`;
      }
      return "";
    };
    assert.equal(message(["sub/cc.gspec"]), "there is no file or folder `sub/cc.gspec` | did you mean `sub/c.gspec`?");
    assert.match(message(["notes.md"]), /is no spec/);
    for (const word of ["a.gspec/x.gspec", `${"a/".repeat(3000)}x.gspec`]) {
      assert.equal(message([word]), `there is no file or folder \`${word}\` | null`);
      assert.throws(() => findSpecFiles([word]), /there is no file or folder/);
    }
    assert.throws(() => findSpecFiles(["nowhere"]), /there is no file or folder/);
  });
});
