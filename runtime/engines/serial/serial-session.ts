// The session of one payload on a machine behind a serial line. Several payloads share a machine, one after the other; which of them is
// up, and whether the machine still is, is the machine's business. Here a state that was kept is tied to the call that made it.

import type { EntryCall, Session } from "../session.ts";
import { rootState, type SerialMachine, type SerialState } from "./serial-machine.ts";

export function openSerialSession(machine: SerialMachine, payload: number): Session<SerialState> {
  const root = rootState(payload);
  /** The last call and where it came from; null: nothing but the start. */
  let last: { readonly from: SerialState; readonly call: EntryCall } | null = null;
  return {
    boot: () => machine.start(payload),
    call(from, call) {
      last = { from, call };
      return machine.call(from, call);
    },
    keep: () => (last === null ? root : machine.keep(last.from, last.call)),
    // It is shared; whoever has started it ends it.
    dispose: () => undefined,
  };
}
