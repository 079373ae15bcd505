// Synthetic specs for the benchmarks: as mixed as real ones (functions, structs, tables, tests with checks), of any size, and the
// same for the same arguments.

/** DSL text of about `bytes` bytes that checks without errors and lowers. */
export function generateSpec(bytes: number): string {
  const parts = ['suite "generated"\n'];
  let size = 0;
  for (let n = 0; size < bytes; n++) {
    const part = unit(n);
    parts.push(part);
    size += part.length;
  }
  return parts.join("\n");
}

function unit(n: number): string {
  return `
struct Packet${n} { kind: u8  length: u16  sum: u32 }

// Folds a packet's header as a checksum would.
fn fold${n}(packet: *Packet${n}, seed: u32) -> u32 {
  var sum = seed
  for i in 0..packet.length {
    sum = (sum << 5) ^ (sum >> 27) ^ (i as u32)
    if sum & 1 == 1 { sum += packet.kind as u32 }
  }
  return sum
}

table packets${n} (kind: u8, length: u16, seed: u32) {
  1, 4, 0x0000_0001
  2, 8, 0x8000_0000     as "high bit"
  3, 0, 0xffff_ffff
}

test "packet ${n} of kind {p.kind}" for p in packets${n} {
  var packet = Packet${n} { kind: p.kind, length: p.length }
  packet.sum = fold${n}(&packet, p.seed)
  expect packet.sum == fold${n}(&packet, p.seed), "length {p.length}"
  expect packet.kind in 1..4 and packet.length <= 8
}
`;
}

/** A suite of one test over `rows` rows of a YAML table with pipe columns. */
export function generateYamlTable(rows: number): string {
  const lines = [
    "suite: ten thousand rows",
    "tests:",
    '  - test: "row {n}"',
    "    columns: { n: u32, a: u64, b: u64, sum: u64 }",
    "    rows: |",
    "      | n | a | b | sum |",
  ];
  for (let n = 0; n < rows; n++) {
    const a = BigInt(n) * 0x1_0000_0001n;
    const b = 0xffff_ffff_0000_0000n - BigInt(n);
    lines.push(`      | ${n} | ${a} | 0x${b.toString(16)} | 0x${BigInt.asUintN(64, a + b).toString(16)} |`);
  }
  lines.push("    check: |", "      expect a + b == sum", "");
  return lines.join("\n");
}
