// The codes of the grammar's diagnostics, for `explain`: E01xx lexical, E02xx syntax, E03xx YAML. A test reports every `wrong` example
// under its code and parses every `right` one, so what is said here stays true. The compiler's codes have a table of the same shape.

export interface DiagnosticCode {
  readonly code: string;
  readonly title: string;
  /** Markdown: a few sentences, then an example that is wrong and one that is right. */
  readonly explanation: string;
}

function dsl(code: string, title: string, text: string, wrong: string, right: string): DiagnosticCode {
  return { code, title, explanation: `${text}\n\nWrong:\n\n\`\`\`gspec\n${wrong}\n\`\`\`\n\nRight:\n\n\`\`\`gspec\n${right}\n\`\`\`\n` };
}

function yaml(code: string, title: string, text: string, wrong: string, right: string): DiagnosticCode {
  return { code, title, explanation: `${text}\n\nWrong:\n\n\`\`\`yaml\n${wrong}\n\`\`\`\n\nRight:\n\n\`\`\`yaml\n${right}\n\`\`\`\n` };
}

export const grammarCodes: readonly DiagnosticCode[] = [
  // ---- Lexical ----
  dsl(
    "E0101",
    "unexpected character",
    "No token of the language starts with this character. Strings stand between double quotes; comments start with `//`.",
    'test "a" {\n  info `hello`\n}',
    'test "a" {\n  info "hello"\n}',
  ),
  dsl(
    "E0102",
    "string without closing quote",
    'A string ends on the line where it starts. A line break in its text is written `\\n`, a quote `\\"`.',
    'test "a" {\n  info "hello\n}',
    'test "a" {\n  info "hello\\n"\n}',
  ),
  dsl(
    "E0103",
    "malformed number",
    "After `0x`, `0b` or `0o` a number has at least one digit of that base. Underscores may stand between digits.",
    "const MASK = 0b102",
    "const MASK = 0b101",
  ),
  dsl(
    "E0104",
    "unknown escape",
    'The escapes of strings and characters are `\\n \\t \\r \\\\ \\" \\\' \\0`, `\\xNN` up to `\\x7f`, and `\\u{N}` for any code point. Other bytes are not text: write them as `hex"ff"`.',
    'test "a" {\n  info "50\\%"\n}',
    'test "a" {\n  info "50%"\n}',
  ),
  dsl(
    "E0105",
    "malformed byte string",
    "A byte string holds hexadecimal digits, two for every byte. Blanks may stand between bytes.",
    'const KEY = hex"2aae6"',
    'const KEY = hex"2a ae 06"',
  ),
  dsl(
    "E0106",
    "number with a fraction",
    "There is no floating-point type. A duration is given in a smaller unit instead.",
    'test "a" {\n  timer.after(1.5ms)\n}',
    'test "a" {\n  timer.after(1500us)\n}',
  ),
  dsl(
    "E0107",
    "malformed character",
    "A character literal is one character (or one escape) between single quotes; its value is the code point. Text of any other length is a string.",
    "const YES = 'yes'",
    "const YES = 'y'",
  ),
  dsl(
    "E0108",
    "unknown unit",
    "A number may end in a unit of time (`ns`, `us`, `ms`, `s`) or of size (`KiB`, `MiB`, `GiB`, `TiB`). Sizes are powers of 1024 only.",
    "const PAGE = 4KB",
    "const PAGE = 4KiB",
  ),
  dsl(
    "E0109",
    "broken hole in a string",
    "`{` and `}` in a string enclose an expression whose value is put there, `{n:x}` with a format. Literal braces are doubled.",
    'test "a" {\n  info "set {1, 2"\n}',
    'test "a" {\n  info "set {{1, 2}}"\n}',
  ),
  dsl(
    "E0110",
    "assembler text without end",
    "The operands and the text of `asm` are taken as they are up to the matching bracket, and there is none.",
    'test "a" {\n  asm x86_64 { nop',
    'test "a" {\n  asm x86_64 { nop }\n}',
  ),
  dsl(
    "E0111",
    "comment of another language",
    "There are only line comments: each starts with `//` and ends with its line. Of comments that start with `#` the first is told.",
    "/* adds */\nconst N = 1",
    "// adds\nconst N = 1",
  ),
  dsl(
    "E0112",
    "spelling of another language",
    "The logical operators are words: `and`, `or`, `not`. A member is reached with `.`, through a pointer or a module too. There are no macros, `name!(..)`, and strings have no letters before them.",
    'test "a" {\n  expect ready && !failed\n}',
    'test "a" {\n  expect ready and not failed\n}',
  ),
  dsl(
    "E0113",
    "number too large",
    "A number has at most 64 bits: the largest is `0xffff_ffff_ffff_ffff`. Wider values are byte strings.",
    "const BIG = 0x1_0000_0000_0000_0000",
    "const BIG = 0xffff_ffff_ffff_ffff",
  ),
  dsl(
    "E0114",
    "unknown format",
    "After the expression in a hole a format may stand: `x` hexadecimal, `d` decimal, `b` binary, `s` text.",
    'test "a" {\n  info "at {address:h}"\n}',
    'test "a" {\n  info "at {address:x}"\n}',
  ),
  dsl(
    "E0115",
    "not a text file",
    "A spec is text in UTF-8, with or without a byte order mark. Bytes that are no UTF-8, and zero bytes, mean that the file has another encoding or is no text.",
    'suite "caf\udcff"',
    'suite "caf\u00e9"',
  ),

  // ---- Syntax ----
  dsl(
    "E0201",
    "unexpected token",
    "The grammar wants something else at this place; the message says what. If the place is at the end of a line, something is missing there.",
    'test "a" {\n  let x = f(1, 2\n}',
    'test "a" {\n  let x = f(1, 2)\n}',
  ),
  dsl(
    "E0202",
    "expected an expression",
    "A value is wanted here: a literal, a name, a call, or an operator with its operands.",
    'test "a" {\n  expect x == \n}',
    'test "a" {\n  expect x == 1\n}',
  ),
  dsl(
    "E0203",
    "unknown declaration",
    "A file consists of declarations, each starting with its word: `suite use fn const var struct enum regs table test fixture`. The unknown one is left out; the others are still checked.",
    'tset "adds" {\n  expect 1 + 1 == 2\n}',
    'test "adds" {\n  expect 1 + 1 == 2\n}',
  ),
  dsl(
    "E0204",
    "unknown statement",
    "This starts no statement. A name alone does nothing: it is followed by `=`, `(`, `.` or `[`, or it is a misspelt keyword.",
    'test "a" {\n  exepct 1 + 1 == 2\n}',
    'test "a" {\n  expect 1 + 1 == 2\n}',
  ),
  dsl(
    "E0205",
    "block without end",
    "The block's `}` is missing: the next declaration, or the end of the file, comes first.",
    'test "a" {\n  expect true\n\ntest "b" {\n  expect true\n}',
    'test "a" {\n  expect true\n}\n\ntest "b" {\n  expect true\n}',
  ),
  dsl(
    "E0206",
    "bracket without beginning",
    "This bracket closes nothing. Often one too many was typed, or the opening one went with a deleted line.",
    "fn f() { return }\n}",
    "fn f() { return }",
  ),
  dsl(
    "E0207",
    "chained comparison",
    "A comparison gives `true` or `false`, and comparing that again is hardly ever meant. Compare twice, or ask for a range.",
    'test "a" {\n  expect 0 <= x < 10\n}',
    'test "a" {\n  expect x in 0..10\n}',
  ),
  dsl(
    "E0208",
    "`not` without parentheses",
    "`not` takes the whole comparison after it, so it cannot be the right side of an operator that binds tighter.",
    'test "a" {\n  expect a == not b\n}',
    'test "a" {\n  expect a == (not b)\n}',
  ),
  dsl(
    "E0209",
    "expected a type",
    "A type is a name (`u32`, `Point`, `pci.Device`), `[N]T`, `[]T`, `*T` or `fn(..) -> T`.",
    "fn f(a: 4) { return }",
    "fn f(a: [4]u8) { return }",
  ),
  dsl(
    "E0210",
    "attribute with nothing to stand before",
    "Attributes stand before a suite, a test or a row of a table.",
    "@slow\nconst N = 1",
    '@slow\ntest "a" { expect true }',
  ),
  dsl(
    "E0211",
    "hole in a fixed text",
    "Names of suites and rows, paths, and the reasons of `xfail` and `skip` in a header are known before anything runs, so they cannot hold values.",
    'suite "sha {n}"',
    'suite "sha 1"',
  ),
  dsl(
    "E0212",
    "reserved word as a name",
    "A few words are reserved everywhere but after a dot and before a field's colon: `let var const fn struct enum if else while for in match return break continue expect assert and or not true false`. All other keywords may be names.",
    'test "a" {\n  let in = 5\n}',
    'test "a" {\n  let input = 5\n}',
  ),
  dsl(
    "E0213",
    "declaration inside a block",
    "Functions, constants, structs and enums belong to the file. Inside a block a fixed value is a `let`.",
    'test "a" {\n  const N = 1\n}',
    'test "a" {\n  let n = 1\n}',
  ),
  dsl(
    "E0216",
    "statement at file level",
    "Statements run inside tests, functions and hooks. A file's own values are `const` or `var`.",
    "let n = 1",
    "const N = 1",
  ),
  dsl(
    "E0218",
    "range with an open end",
    "Only a slice may leave out an end, and its end is exclusive; any other range has both ends.",
    'test "a" {\n  for i in 0.. { f(i) }\n}',
    'test "a" {\n  for i in 0..8 { f(i) }\n}',
  ),
  dsl("E0219", "second suite", "A file holds one suite, because the suite's name is part of its tests' ids.", 'suite "a"\nsuite "b"', 'suite "a"'),
  dsl(
    "E0220",
    "given twice",
    "This part may be there once only: `setup` and `teardown` in a fixture, `else` in a `match`, `xfail` or `skip` in a test's header.",
    "fixture {\n  setup { f() }\n  setup { g() }\n}",
    "fixture {\n  setup { f(); g() }\n}",
  ),
  dsl(
    "E0221",
    "unknown access word",
    "Registers and fields are `ro` (read-only), `wo` (write-only), `rw`, `w1c` (one clears), `w1s` (one sets) or `rc` (reading clears).",
    "regs Timer {\n  count: u32 @0 readonly\n}",
    "regs Timer {\n  count: u32 @0 ro\n}",
  ),
  dsl(
    "E0222",
    "bits of a field",
    "A field is one bit, `ready: 0`, or the bits `high..low`, both inclusive, as manuals write them.",
    "regs Timer {\n  status: u32 @0 { mode: 7..=6 }\n}",
    "regs Timer {\n  status: u32 @0 { mode: 7..6 }\n}",
  ),
  dsl(
    "E0223",
    "nested too deeply",
    "At most 128 brackets may be open at a time. Deeper texts are written by programs; give the parts names.",
    `const N =\n${`${"(".repeat(43)}\n`.repeat(3)}1${`\n${")".repeat(43)}`.repeat(3)}`,
    "const N = ((1))",
  ),
  dsl(
    "E0230",
    "method of an interface with a body",
    "An interface lists what its implementations can do: names, parameters and results. What they do stands in the structs that implement it.",
    "interface Sensor {\n  fn read(self) -> u16 { return 0 }\n}",
    "interface Sensor {\n  fn read(self) -> u16\n}",
  ),
  dsl(
    "E0290",
    "not supported yet",
    "The grammar knows this declaration, but nothing can run it yet. It is left out; the help says what to write meanwhile.",
    'litmus "SB" {\n  shared x: u32\n}',
    'test "SB" needs cpus(2) {\n  shared var x: u32\n  cpu 1 { x = 1 }\n  expect x == 1\n}',
  ),

  // ---- YAML ----
  yaml(
    "E0301",
    "not valid YAML",
    "The file cannot be read as YAML 1.2, or a map has one key twice. Frequent causes are tabs in the indent and a `: ` inside a value without quotes.",
    "suite: a\ntests:\n  - test: x: y\n    check: expect true",
    'suite: a\ntests:\n  - test: "x: y"\n    check: expect true',
  ),
  yaml(
    "E0302",
    "unknown key",
    "Each map of a spec file has fixed keys. A misspelt one would silently do nothing, so it is an error.",
    "suite: a\ntests:\n  - test: x\n    chek: expect true",
    "suite: a\ntests:\n  - test: x\n    check: expect true",
  ),
  yaml(
    "E0303",
    "missing key or value",
    "Something that this map needs is not there: a test has `test` and `check`, rows have `columns`, every row has every column.",
    "suite: a\ntests:\n  - test: x",
    "suite: a\ntests:\n  - test: x\n    check: expect true",
  ),
  yaml(
    "E0304",
    "wrong shape",
    "A map, a list or a scalar stands where another of the three belongs, or a name is none.",
    "suite: a\ntests:\n  test: x\n  check: expect true",
    "suite: a\ntests:\n  - test: x\n    check: expect true",
  ),
  yaml(
    "E0305",
    "wrong number of cells",
    "A row has one cell for each column. In a pipe table a `|` inside a cell is written `\\|`.",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8, b: u8 }\n    rows: [[1]]\n    check: expect a < b",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8, b: u8 }\n    rows: [[1, 2]]\n    check: expect a < b",
  ),
  yaml(
    "E0306",
    "two rows with one name",
    "A row's name is part of its test's id, so a table has each name once.",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: [{ a: 1, name: n }, { a: 2, name: n }]\n    check: expect a > 0",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: [{ a: 1, name: one }, { a: 2, name: two }]\n    check: expect a > 0",
  ),
  yaml(
    "E0307",
    "empty cell",
    "Only a `str` column may have an empty cell; any other holds code.",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: [{ a: }]\n    check: expect a > 0",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: [{ a: 1 }]\n    check: expect a > 0",
  ),
  yaml(
    "E0308",
    "unknown column",
    "Rows, `exclude`, `include` and the header of a pipe table name columns of this table only. Beside them a row may have `name`, `tags`, `attributes`, `timeout`, `xfail` and `skip`.",
    "suite: a\ntests:\n  - test: x\n    columns: { width: u8 }\n    rows: [{ wdith: 1 }]\n    check: expect width > 0",
    "suite: a\ntests:\n  - test: x\n    columns: { width: u8 }\n    rows: [{ width: 1 }]\n    check: expect width > 0",
  ),
  yaml(
    "E0309",
    "`exclude` without effect",
    "An `exclude` entry takes out the rows of the matrix that have its values. One that matches none is a slip or left over.",
    "suite: a\ntests:\n  - test: x\n    matrix: { a: [1, 2] }\n    exclude: [{ a: 3 }]\n    check: expect a > 0",
    "suite: a\ntests:\n  - test: x\n    matrix: { a: [1, 2] }\n    exclude: [{ a: 2 }]\n    check: expect a > 0",
  ),
  yaml(
    "E0310",
    "keys that exclude each other",
    "A test takes its rows from one of `rows`, `table` and `matrix`; `exclude` and `include` belong to `matrix`; a test or row is `xfail` or `skip`, not both.",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: [[1]]\n    exclude: [{ a: 1 }]\n    check: expect a > 0",
    "suite: a\ntests:\n  - test: x\n    matrix: { a: [1, 2] }\n    exclude: [{ a: 1 }]\n    check: expect a > 0",
  ),
  yaml(
    "E0311",
    "malformed pipe table",
    "In a block of rows every line starts with `|`; the first one names the columns, each once.",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: |\n      | a |\n      1\n    check: expect a > 0",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    rows: |\n      | a |\n      | 1 |\n    check: expect a > 0",
  ),
  yaml(
    "E0312",
    "unknown anchor or tag",
    "An alias `*name` repeats what `&name` marked earlier in the file. Tags (`!name`) mean nothing in spec files.",
    "suite: a\ntests:\n  - test: x\n    tags: [*common]\n    check: expect true",
    "suite: a\ntests:\n  - test: x\n    tags: &common [slow]\n    check: expect true\n  - test: y\n    tags: *common\n    check: expect true",
  ),
  yaml(
    "E0313",
    "column without a common type",
    "Without `columns` a matrix column takes its type from its values: `u64` (`i64` if one is negative), `bool`, `str` or bytes. These differ, so the type must be given.",
    "suite: a\ntests:\n  - test: x\n    matrix: { a: [1, true] }\n    check: expect true",
    "suite: a\ntests:\n  - test: x\n    columns: { a: u8 }\n    matrix: { a: [1, u8.max] }\n    check: expect true",
  ),
];
