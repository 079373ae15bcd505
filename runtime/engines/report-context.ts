// What telling of a result needs beside what the guest said: the manifest, where code stands, the sources' text, and the test.

import type { Manifest, ManifestTest } from "../../compiler/images/manifest.ts";
import type { DataLayout } from "../../isa/bytecode/module.ts";
import type { SourceLines } from "./code-frame.ts";
import type { CodeMap } from "./code-map.ts";

export interface ReportContext {
  readonly manifest: Manifest;
  /** Of the guest's memory. */
  readonly layout: DataLayout;
  readonly code: CodeMap;
  readonly sources: SourceLines;
  /** The test that runs. Absent: set-up or teardown of several. */
  readonly test?: Pick<ManifestTest, "name" | "file" | "line" | "endLine">;
}
