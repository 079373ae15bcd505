// The last accesses to devices, for the failure report: a ring in the machine's memory (memory.ts), so that generated code, which
// answers some reads itself, notes them there as the bus notes its own, in one order. A record is written when the access begins, as one
// that nobody answers if that can be, and completed when it was answered: what the model does meanwhile (DMA) comes after its cause.
// All is numbers and typed arrays, since every access comes by here; BigInts are made when somebody reads the log.

/** Bytes from the log's place. `count`, i64: records ever written; record n is at `records` + n % `size` * `recordBytes`. */
export const ACCESS_LOG = {
  size: 32,
  count: 0,
  records: 64,
  recordBytes: 64,
  /** f64: guest time in ns. */
  time: 0,
  /** i64, each with zeros above its width. */
  address: 8,
  value: 16,
  /** f64: within the region. */
  offset: 24,
  /** i32: `WHAT`. */
  what: 32,
} as const;
export const ACCESS_LOG_BYTES = ACCESS_LOG.records + ACCESS_LOG.size * ACCESS_LOG.recordBytes;

/** Of a record: its width in the lowest bits, flags, and above `targetShift` the target's number. */
export const WHAT = { width: 0x0f, write: 0x10, fault: 0x20, dma: 0x40, port: 0x80, targetShift: 8 } as const;

export interface LoggedAccess {
  readonly time: number;
  readonly address: bigint;
  readonly value: bigint;
  readonly offset: number;
  readonly what: number;
}

export interface AccessLog {
  /** Begins a record, as a fault; what it returns names it to the other two, which do nothing if it has been overwritten. */
  readonly begin: (what: number, time: number, address: bigint | number, offset: number, value: bigint | number) => number;
  /** The same of an access that is answered in any case: of a read just the value is to come. */
  readonly note: (what: number, time: number, address: bigint | number, offset: number, value: bigint | number) => number;
  readonly accept: (serial: number) => void;
  readonly answer: (serial: number, value: bigint | number) => void;
  /** Oldest first. */
  readonly records: () => readonly LoggedAccess[];
  readonly clear: () => void;
}

const WORD = 0x1_0000_0000;

export function createAccessLog(buffer: ArrayBuffer, place: number): AccessLog {
  const doubles = new Float64Array(buffer, place, ACCESS_LOG_BYTES / 8);
  const longs = new BigUint64Array(buffer, place, ACCESS_LOG_BYTES / 8);
  const words = new Int32Array(buffer, place, ACCESS_LOG_BYTES / 4);
  const countAt = ACCESS_LOG.count >>> 2;

  const recordOf = (serial: number): number => ACCESS_LOG.records + (serial & (ACCESS_LOG.size - 1)) * ACCESS_LOG.recordBytes;

  function setLong(at: number, value: bigint | number): void {
    if (typeof value === "bigint") longs[at >>> 3] = value;
    else {
      words[at >>> 2] = value;
      // A division is most of what noting an access costs.
      words[(at >>> 2) + 1] = value < WORD ? 0 : Math.floor(value / WORD);
    }
  }

  /** Where a record that was begun is, or -1. Serial numbers are the low half of the count. */
  function find(serial: number): number {
    return (((words[countAt] ?? 0) - serial) >>> 0) - 1 < ACCESS_LOG.size ? recordOf(serial) : -1;
  }

  function accept(at: number): void {
    const word = (at + ACCESS_LOG.what) >>> 2;
    words[word] = (words[word] ?? 0) & ~WHAT.fault;
  }

  function note(what: number, time: number, address: bigint | number, offset: number, value: bigint | number): number {
    const serial = words[countAt] ?? 0;
    const next = (serial + 1) | 0;
    words[countAt] = next;
    if (next === 0) words[countAt + 1] = (words[countAt + 1] ?? 0) + 1;
    const at = recordOf(serial);
    doubles[(at + ACCESS_LOG.time) >>> 3] = time;
    setLong(at + ACCESS_LOG.address, address);
    setLong(at + ACCESS_LOG.value, value);
    doubles[(at + ACCESS_LOG.offset) >>> 3] = offset;
    words[(at + ACCESS_LOG.what) >>> 2] = what;
    return serial;
  }

  return {
    begin: (what, time, address, offset, value) => note(what | WHAT.fault, time, address, offset, value),
    note,
    accept(serial) {
      const at = find(serial);
      if (at >= 0) accept(at);
    },
    answer(serial, value) {
      const at = find(serial);
      if (at < 0) return;
      setLong(at + ACCESS_LOG.value, value);
      accept(at);
    },
    records() {
      const count = longs[ACCESS_LOG.count >>> 3] ?? 0n;
      const length = count < ACCESS_LOG.size ? Number(count) : ACCESS_LOG.size;
      return Array.from({ length }, (_, index): LoggedAccess => {
        const at = recordOf(Number(BigInt.asUintN(32, count)) - length + index);
        return {
          time: doubles[(at + ACCESS_LOG.time) >>> 3] ?? 0,
          address: longs[(at + ACCESS_LOG.address) >>> 3] ?? 0n,
          value: longs[(at + ACCESS_LOG.value) >>> 3] ?? 0n,
          offset: doubles[(at + ACCESS_LOG.offset) >>> 3] ?? 0,
          what: words[(at + ACCESS_LOG.what) >>> 2] ?? 0,
        };
      });
    },
    clear() {
      longs[ACCESS_LOG.count >>> 3] = 0n;
    },
  };
}
