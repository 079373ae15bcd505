// Where lib/aarch64/entry.s stores what it interrupts, for whoever reads the stack of a guest that has failed: runtime/engines/unwind.ts, which
// says what the fields are. Bytes from the stack pointer; a change of entry.s is a change here (tests/native/callers.isolated.test.ts).

export const ENTRY_STACK = {
  trap: { bytes: 288, link: 240 },
  pollLink: { below: 16, blamed: -8 },
  entry: {
    interrupt: { kind: "interrupt", bytes: 288, pc: 256, link: 240 },
    exception: { kind: "trap", bytes: 288, pc: 256, link: 240 },
  },
} as const;
