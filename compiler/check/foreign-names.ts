// Names that people bring along from C, Rust, the kernel, KUnit and kvm-unit-tests: a mistake that names one is told what it is called here.
// Only help for names that do not exist; nothing is read differently.

import { foreignTypes, HOW_TO_FAIL, HOW_TO_RELEASE } from "../../grammar/foreign-words.ts";

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
  [/^(BUG_ON|VM_BUG_ON)$/, 'what must hold is `assert condition, "why"`'],
  [/^WARN_ON(_ONCE)?$|^WARN(_ONCE)?$/, 'code under test warns by `warn "why"`, which a test awaits by `expect log "WARNING: *" { .. }`'],
  [/^(panic|abort|exit|unreachable|raise|throw|BUG)$/, HOW_TO_FAIL],
  [/^(static_assert|BUILD_BUG_ON\w*)$/, "what is known when compiling is checked like all else: `expect Header.size == 16`"],
  [/^(True|TRUE|False|FALSE)$/, "the truth values are `true` and `false`"],
  [/^range$/, "a range is `0..10`, with its end `0..=10`"],
  [/^pass$/, "an empty block is `{ }`"],
  [/^(this|Self)$/, "a method names its struct's value itself: `fn step(self) { self.value += 1 }`"],
  [/^new$/, "a value of a struct is `Counter { value: 1 }`; what it leaves out is zero"],
  [/^(Ok|Some|Err)$/, "a value stands for itself; an error is a number of Linux below zero: `-errno.EINVAL`"],
  [/^(sizeof|alignof|size_of)$/, "the size of a type is a member: `P.size`"],
  [
    /^(memcpy|memmove|memset|copy_from_slice|copy|fill)$/,
    "an array is copied by `=` and filled by `[0; 16]`; the elements of a slice are assigned one by one: `for i, x in from { to[i] = x }`",
  ],
  [/^(memcmp|bcmp|strn?cmp)$/, "contents are compared by `==`, parts of them as slices: `a[..n] == b[..n]`"],
  [/^(ARRAY_SIZE|len|strn?len)$/, "the length is a member: `a.len`"],
  [/^(str[ln]?cpy|strscpy|strn?cat|sprintf|snprintf|scnprintf)$/, 'texts are constants, and put together where they are told: `info "{name}: {value:x}"`'],
  [/^(container_of|list_entry|offset_?of)$/, "a field lies at `&(0 as *S).list as usize`, and its struct is `(node as usize - offset) as *S`"],
  [/^(min|max|clamp|min_t|max_t|abs|umin|umax)$/, "a choice is an expression: `if a < b { a } else { b }`"],
  [/^swap$/, "two variables are swapped through a third one: `let old = a; a = b; b = old`"],
  [/^BIT(_ULL)?$/, "a bit is `1 << n`; bits of a register have names in its `regs` block"],
  [/^(GENMASK(_ULL)?|FIELD_GET|FIELD_PREP)$/, "fields of a register are read and assigned by name: `regs Uart { lcr: u8 @3 { word_length: 1..0 } }`"],
  [/^(hweight(8|16|32|64|_long)|popcount|__builtin_popcount(ll)?|bitcount)$/, "one bits are counted by `bits.popcnt(x)`"],
  [/^ffz$/, "ones below the lowest zero are counted by `bits.ctz(~x)`"],
  [/^(ffs|__ffs|ctz|__builtin_ctz(ll)?|trailing_zeros)$/, "zeros below the lowest one are counted by `bits.ctz(x)`"],
  [
    /^(fls|fls64|__fls|ilog2|clz|__builtin_clz(ll)?|leading_zeros)$/,
    "zeros above the highest one are counted by `bits.clz(x)`: the highest is bit `T.bits - 1 - bits.clz(x)`",
  ],
  [
    /^(cpu_to_[bl]e(16|32|64)|[bl]e(16|32|64)_to_cpu|swab(16|32|64)|__swab\w+|[hn]to[hn][sl])$/,
    "bytes are reversed by `bits.bswap(x)`; `machine.little_endian` tells the order",
  ],
  [/^(rol|ror)(8|16|32|64)$/, "bits are rotated by `bits.rotl(x, n)` and `bits.rotr(x, n)`"],
  [
    /^(READ_ONCE|WRITE_ONCE|ACCESS_ONCE|smp_load_acquire|smp_store_release)$/,
    "a variable whose every access happens is a `shared var`; others are reached by `atomic.load(&x)` and `atomic.store(&x, n)`",
  ],
  [
    /^(atomic(64)?_\w+|cmpxchg\w*|xchg\w*|__sync_\w+|__atomic_\w+)$/,
    "what is one step is `atomic.add(&x, 1)`, `atomic.cas(&x, expected, value)` and their like",
  ],
  [
    /^(spin_(un)?lock\w*|mutex_(un)?lock\w*|raw_spin_\w+)$/,
    "a lock is a variable: `while atomic.swap(&lock, 1) != 0 { cpu.relax() }`, and `atomic.store(&lock, 0)`",
  ],
  [/^(local_irq_(disable|save)|cli)$/, "interrupts of this CPU are switched off by `irq.disable()`"],
  [/^(local_irq_(enable|restore)|sti)$/, "interrupts of this CPU are switched on by `irq.enable()`"],
  [/^(jiffies|ktime_get\w*|sched_clock|rdtsc|clock|gettimeofday)$/, "guest time in nanoseconds is `time.now()`"],
  [/^(IS_ERR|IS_ERR_OR_NULL|PTR_ERR)$/, "an error in a pointer or number is asked for by `p is error`, `p is error ENOENT`, `p is not error`"],
  [/^ERR_PTR$/, "an error in a pointer is `-errno.ENOENT as usize as *T`"],
  [/^(likely|unlikely|__builtin_expect)$/, "a condition stands as it is: there are no hints for branches"],
  [/^DIV_ROUND_UP(_ULL)?$/, "a quotient is rounded up by `(n + d - 1) / d`"],
  [/^(round_?(up|down)|ALIGN(_DOWN)?|PAGE_ALIGN(_DOWN)?)$/, "rounding is arithmetic: up by `(n + size - 1) / size * size`, down by `n / size * size`"],
];

/** What a function or value of another language, or of another test system, is called here. */
export function suggestName(name: string): string | undefined {
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1];
}
