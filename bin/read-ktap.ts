// A log that holds KTAP or TAP, line by line, and the run that it is read as: for `parse`, and for `run --with-ktap`.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { engineHost } from "../runtime/engines/host.ts";
import { createKtapRun, type KtapRun } from "../runtime/ktap/ktap-events.ts";
import { readError } from "./errors.ts";
import { toolVersion } from "./version.ts";

export const STDIN = "-";

export function openKtapRun(file: string, isLenient: boolean): KtapRun {
  return createKtapRun({
    file: file === STDIN ? "stdin" : file,
    tool: `guestspec ${toolVersion()}`,
    isLenient,
    now: () => engineHost.now(),
    date: () => new Date().toISOString(),
  });
}

/** Line by line; bytes that are no UTF-8 become replacement characters. */
export async function* readLog(file: string): AsyncGenerator<string> {
  const input = file === STDIN ? process.stdin : createReadStream(file);
  const failed = new Promise<never>((_resolve, reject) => input.once("error", reject));
  // Awaited below; until then nobody listens.
  failed.catch(() => undefined);
  try {
    const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([lines.next(), failed]);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw readError(file, error);
  }
}
