// Where lib/x86_64/entry.s stores what it interrupts, for whoever reads the stack of a guest that has failed: runtime/engines/unwind.ts, which
// says what the fields are. Bytes from the stack pointer; a change of entry.s is a change here (tests/native/callers.isolated.test.ts).

export const ENTRY_STACK = {
  trap: { bytes: 176, link: null },
  pollLink: null,
  entry: {
    interrupt: { kind: "interrupt", bytes: 176, pc: 136, link: null },
    guest_vector: { kind: "trap", bytes: 176, pc: 136, link: null },
  },
} as const;
