// Where native tests run: a target's QEMU, or the reason for which its tests are skipped. With GUESTSPEC_REQUIRE=qemu in the
// environment a missing QEMU is a failure.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { TargetName } from "../../compiler/targets/names.ts";
import { openHost, type NativeHost } from "../fixtures/native-run.ts";
import { isRequired } from "../fixtures/required.ts";

/** Null: the test is marked as skipped. */
export async function requireHost(name: TargetName, context: TestContext): Promise<NativeHost | null> {
  const result = await openHost(name);
  if (result.ok) return result.host;
  assert.ok(!isRequired("qemu"), result.reason);
  context.skip(result.reason);
  return null;
}
