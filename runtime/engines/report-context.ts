// What the story of a failure is told from, beside what the guest has said: the manifest, the code's places, the sources, and the test that
// runs. Types only: failure.ts tells the story, call-chain.ts how it came to be.

import type { Manifest, ManifestTest } from "../../compiler/images/manifest.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { GuestStack } from "../machine/cpu-contract.ts";
import type { SourceLines } from "./code-frame.ts";
import type { CodeMap } from "./code-map.ts";
import type { StackWords } from "./frames.ts";
import type { Unwinder } from "./unwind.ts";

export interface ReportContext {
  readonly manifest: Manifest;
  /** Of the guest's memory. */
  readonly layout: DataLayout;
  readonly code: CodeMap;
  readonly sources: SourceLines;
  /** Makes calls of what a guest of machine code has sent of its stack. Absent: its calls are known otherwise. */
  readonly unwind?: Unwinder;
  /** The test that runs. Absent: set-up or teardown of several. */
  readonly test?: Pick<ManifestTest, "name" | "file" | "line" | "endLine">;
}

/** As a machine in this process knows it, or as a guest has sent it. */
export type ToldStack = GuestStack | StackWords | null;
