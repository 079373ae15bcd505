// The names of the native targets, apart from what loads them (index.ts): a target's own record is named by one of them.

export const NATIVE_TARGET_NAMES = ["x86_64", "riscv64", "aarch64"] as const;

export type TargetName = (typeof NATIVE_TARGET_NAMES)[number];
