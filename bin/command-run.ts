// What the `command` engine is told of a run: the project's engines that it uses, and the files that their VMMs boot, each with the words
// for the guest in its built-in command line. Loaded when a run has tests for such an engine.

import { COMMAND_LINE_SIZE, type NativeImage, type RunnableImage } from "../compiler/native/native-image.ts";
import type { CommandRequest } from "../runtime/engines/command/command-engine.ts";
import type { EngineImage } from "../runtime/engines/session.ts";
import { encodeImage } from "./encode-image.ts";
import type { RunTarget } from "./load-targets.ts";

/** docs/native.md, 6: the words that are used when the boot loader gives none. */
function withCommandLine(image: RunnableImage, words: string): NativeImage {
  const text = new TextEncoder().encode(words);
  if (text.length >= COMMAND_LINE_SIZE) throw new Error(`a command line of ${text.length} bytes does not fit the image's ${COMMAND_LINE_SIZE}`);
  const bytes = image.bytes.slice();
  bytes.fill(0, image.commandLineOffset, image.commandLineOffset + COMMAND_LINE_SIZE);
  bytes.set(text, image.commandLineOffset);
  // No debugger sees it.
  return { ...image, bytes, frames: [] };
}

export function commandRequest(targets: readonly RunTarget[]): CommandRequest {
  return {
    engines: targets.flatMap(({ command }) => command ?? []),
    async bootFile({ native, manifest }: EngineImage, engine, commandLine) {
      if (native === undefined) throw new Error(`an image for ${engine.name} has no machine code`);
      const path = manifest.files[manifest.suites[0]?.file ?? 0] ?? "";
      return encodeImage({ native: withCommandLine(native, commandLine), manifest, path }, engine.image);
    },
  };
}
