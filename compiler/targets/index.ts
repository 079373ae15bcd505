// The native targets, as a list: bundlers, types and readers like it better than a search of folders. To add one, see
// docs/howto/add-a-target-in-one-folder.md.

import type { NativeTarget } from "../native/target.ts";
import { aarch64 } from "./aarch64/target.ts";
import { riscv64 } from "./riscv64/target.ts";
import { x86_64 } from "./x86_64/target.ts";

export const NATIVE_TARGET_NAMES = ["x86_64", "riscv64", "aarch64"] as const;
export type TargetName = (typeof NATIVE_TARGET_NAMES)[number];

export const NATIVE_TARGETS: readonly NativeTarget[] = [x86_64, riscv64, aarch64];

export function findNativeTarget(name: string): NativeTarget | undefined {
  return NATIVE_TARGETS.find((target) => target.name === name);
}
