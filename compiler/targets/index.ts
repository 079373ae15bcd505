// The native targets, as a list: bundlers, types and readers like it better than a search of folders. Each is loaded when something is
// compiled for it: the encoders' tables of the others would take longer than the spec that was edited. To add one, see
// docs/howto/add-a-target-in-one-folder.md.

import type { NativeTarget } from "../native/target.ts";
import type { TargetName } from "./names.ts";

const LOADERS: Readonly<Record<TargetName, () => Promise<NativeTarget>>> = {
  x86_64: async () => (await import("./x86_64/target.ts")).x86_64,
  riscv64: async () => (await import("./riscv64/target.ts")).riscv64,
  aarch64: async () => (await import("./aarch64/target.ts")).aarch64,
};

export function hasNativeTarget(name: string): name is TargetName {
  return Object.hasOwn(LOADERS, name);
}

/** Null: there is no back end for it. */
export async function loadNativeTarget(name: string): Promise<NativeTarget | null> {
  return hasNativeTarget(name) ? LOADERS[name]() : null;
}
