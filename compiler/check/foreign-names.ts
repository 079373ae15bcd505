// Names that people bring along from C, Rust, the kernel, KUnit and kvm-unit-tests: a mistake that names one is told what it is called here.
// Only help for names that do not exist; nothing is read differently.

import { foreignTypes, HOW_TO_RELEASE } from "../../grammar/foreign-words.ts";

/** "did you mean `u8`?", by a table of ours with what others call them. */
function suggestFrom(table: Readonly<Record<string, readonly string[]>>): (name: string) => string | undefined {
  const ours = new Map(Object.entries(table).flatMap(([name, theirs]) => theirs.map((other) => [other, name] as const)));
  return (name) => {
    const meant = ours.get(name);
    return meant === undefined ? undefined : `did you mean \`${meant}\`?`;
  };
}

/** For a type of another language. */
export const suggestType = suggestFrom(foreignTypes);

const suggestLowered = suggestFrom({
  x86_64: ["x86", "amd64", "x64", "intel64"],
  i386: ["i486", "i586", "i686", "ia32"],
  aarch64: ["arm64", "armv8"],
  arm: ["arm32", "armv7", "aarch32"],
  riscv64: ["riscv", "rv64", "rv64gc"],
  riscv32: ["rv32", "rv32imac"],
});

/** For a target as others call it, in whatever case. */
export const suggestTarget = (name: string): string | undefined => suggestLowered(name.toLowerCase());

/** What a whole family of names is called here; the first that fits. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^(kunit_)?(expect|assert)_*[a-z_]*$/i, "a check is `expect a == b`, or `assert a == b` to end the test"],
  [/^report(_pass|_fail|_info|_kfail|_xfail)?$/, 'a check is `expect condition, "what it is about"`'],
  [/^report_(prefix_\w+|summary)$/, "names of tests and suites stand before each result by themselves"],
  [/^(report_skip|kunit_skip|kunit_mark_skipped)$/, 'a test leaves itself out by `skip "why"`'],
  [/^(printk|puts|pr_\w+|kunit_info)$/, 'a line of the report is `info "what: {value}"`'],
  [/^(null|NULL|nullptr|nil|None)$/, "the null pointer is `0 as *T`"],
  [/^(read|readl?|ioread|in_[bl]e)(8|16|32|64|[bwlq])$/, "a register is read through its block, or by `peek.u32(address)` and its like"],
  [/^(write|iowrite|out_[bl]e)(8|16|32|64|[bwlq])$/, "a register is written through its block, or by `poke.u32(address, value)` and its like"],
  [/^in[bwl]$/, "a port is read by `port.in8(p)`, `port.in16(p)`, `port.in32(p)`"],
  [/^out[bwl]$/, "a port is written by `port.out8(p, value)`, `port.out16(p, value)`, `port.out32(p, value)`"],
  [/^(smp_)?[rw]?mb$|^(dma_)?[rw]mb$|^barrier$|^mfence$/, "memory is ordered by `atomic.fence()`"],
  [/^(smp_processor_id|cpuid|smp_id|hartid)$/, "the CPU that runs is `cpu.id()`"],
  [/^(cpu_relax|pause)$/, "a loop that waits calls `cpu.relax()`, or is `wait until condition within 1ms`"],
  [/^([mun]delay|[mu]sleep|sleep|usleep_range)$/, "`time.sleep(1ms)` waits; `expect condition within 1ms` polls"],
  [
    /^(k[mz]alloc|malloc|calloc|alloc_pages?|kunit_k[mz]alloc)$/,
    "memory comes from `alloc(T)`, or `alloc([]T, n)` for n of them; the end of the test gives it back",
  ],
  [/^((k|kv|v)?free|free_pages?|del|delete|kunit_kfree)$/, HOW_TO_RELEASE],
  [/^(should|must)(_|$)/, "a check is `expect a == b`, or `assert a == b` to end the test"],
  [/^(println|printf|console|eprintln|logger|fprintf)$/, 'a line of the report is `info "what: {value}"`'],
  [/^(panic|abort|exit|unreachable|raise|throw|BUG_ON|BUG)$/, '`fail "why"` ends the test'],
  [/^(True|TRUE|False|FALSE)$/, "the truth values are `true` and `false`"],
  [/^range$/, "a range is `0..10`, with its end `0..=10`"],
  [/^pass$/, "an empty block is `{ }`"],
  [/^(this|Self)$/, "a method names its struct's value itself: `fn step(self) { self.value += 1 }`"],
  [/^new$/, "a value of a struct is `Counter { value: 1 }`; what it leaves out is zero"],
  [/^(Ok|Some|Err)$/, "a value stands for itself; an error is a number of Linux below zero: `-errno.EINVAL`"],
  [/^(sizeof|alignof|size_of)$/, "the size of a type is a member: `P.size`"],
  [/^(memcpy|memset|memcmp|memmove)$/, "arrays and slices are copied by `=`, filled by `[0; 16]` and compared by `==`"],
  [/^(ARRAY_SIZE|len)$/, "the length is a member: `a.len`"],
];

/** What a function or value of another language, or of another test system, is called here. */
export function suggestName(name: string): string | undefined {
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1];
}
