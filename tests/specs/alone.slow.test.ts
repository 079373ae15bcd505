// Images check themselves: started at `main`, without a host that picks cases or reads frames, each prints strict KTAP and ends the
// machine with a status, and says of every case what the host says. Devices keep their state from test to test then, so the
// suites of devices are left out.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Image } from "../../compiler/index.ts";
import { interpreterFactory } from "../../runtime/cpus/bytecode/interpreter.ts";
import { createGuestCaller } from "../../runtime/engines/guest-caller.ts";
import { createMachine } from "../../runtime/machine/machine.ts";
import { checkKtap, type KtapResult } from "../report/ktap-checker.ts";
import { compileSpecs, specFiles } from "../fixtures/compile.ts";
import { bytecodeVirt } from "../fixtures/machines.ts";
import { runImages, testsOf } from "./run-all.ts";

const LIMITS = { deadline: 1e12, grace: 1, instructions: 1e9 };

function runAlone(image: Image): { readonly ktap: string; readonly code: number | null } {
  let text = "";
  const machine = createMachine(bytecodeVirt, {
    output: (bytes, device) => (device === "uart0" ? (text += Buffer.from(bytes).toString("utf8")) : undefined),
    callGuest: (code, args, stack) => callGuest(code, args, stack),
  });
  const placed = machine.loadImage(image.module);
  const callGuest = createGuestCaller(placed, machine, interpreterFactory);
  const outcome = interpreterFactory.create(placed, machine).call(image.manifest.entry.main, [], LIMITS);
  machine.dispose();
  // What tests print stands between the lines of KTAP; the format allows it.
  const ktap = text.split("\n").filter((line) => /^ *(KTAP version|1\.\.|ok |not ok |# )/.test(line));
  return { ktap: `${ktap.join("\n")}\n`, code: outcome.kind === "exit" ? outcome.exit.code : null };
}

const leaves = (results: readonly KtapResult[]): readonly KtapResult[] =>
  results.flatMap((result) => (result.children.length === 0 ? [result] : leaves(result.children)));

describe("images that run by themselves", () => {
  for (const path of ["tutorial", "language", "kunit", "kernel", "memory"].flatMap((folder) => specFiles(`specs/${folder}`))) {
    const [image] = compileSpecs([path]);
    if (image === undefined) continue;
    test(path, async () => {
      const { ktap, code } = runAlone(image);
      const [suite, ...rest] = checkKtap(ktap);
      assert.deepEqual(rest, []);
      assert.equal(
        code,
        0,
        ktap
          .split("\n")
          .filter((line) => /not ok|#/.test(line))
          .slice(0, 20)
          .join("\n"),
      );
      const hosted = testsOf(await runImages([image], { executor: "interpreter" }));
      const single = new Set(
        image.manifest.suites.flatMap(({ tests }) => tests.filter(({ needs }) => needs.some(({ name }) => name === "cpus")).map(({ name }) => name)),
      );
      const expected = hosted.map(({ verdict, test: name }) => (single.has(name) ? "skip" : verdict));
      const seen = leaves([suite ?? assert.fail("no suite")]).map(({ isOk, directive }) => directive?.toLowerCase() ?? (isOk ? "pass" : "fail"));
      assert.deepEqual(seen, expected);
    });
  }
});
