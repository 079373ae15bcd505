// What people write by habit of other languages and other test systems, and what it is called here: help for words that mean nothing to the
// grammar. A word is told either its one name here, which is a fix where a declaration begins, or in a sentence what the form is. Nothing is
// read differently.
// Names that do not exist are told by compiler/check/foreign-names.ts, because only the checker knows which exist.

/** A word of ours instead, or how it is done here. */
export interface ForeignWord {
  readonly ours: string | null;
  readonly help: string;
}

/** Words that have another name here, and words of which a sentence tells how it is done here. */
function wordTable(
  renamed: Readonly<Record<string, readonly string[]>>,
  told: readonly (readonly [sentence: string, words: readonly string[]])[],
): ReadonlyMap<string, ForeignWord> {
  const table = new Map<string, ForeignWord>();
  for (const [ours, words] of Object.entries(renamed)) for (const word of words) table.set(word, { ours, help: `did you mean \`${ours}\`?` });
  for (const [help, words] of told) for (const word of words) table.set(word, { ours: null, help });
  return table;
}

const USE = 'a module of the library comes by `use pci`, another file by `use "./other.gspec"`';
export const HOW_TO_TEST = 'a test is `test "what it shows" { .. }`';
export const HOW_TO_FAIL = '`fail "why"` fails the test, which goes on; `assert false, "why"` ends it too';
const CHECK = "a check is `expect a == b`, or `assert a == b` to end the test";
export const HOW_TO_RELEASE = "memory from `alloc` is released with the test, or by `release(p)` before";
const LINE = 'a line of the report is `info "what: {value}"`';

/** Where a declaration begins. */
export const foreignItems = wordTable(
  {
    fn: ["func", "def", "function", "fun", "proc", "sub"],
    struct: ["class", "record"],
    interface: ["trait", "protocol"],
    fake: ["mock"],
    var: ["static", "val"],
    regs: ["registers"],
    test: ["it"],
  },
  [
    [USE, ["import", "include", "from", "require", "using"]],
    [
      'a file is one suite: `suite "name"` stands at its head, and what belongs to it below, without braces',
      ["describe", "context", "mod", "module", "namespace", "package", "testsuite", "TEST_SUITE"],
    ],
    [HOW_TO_TEST, ["specify", "scenario", "testcase", "TEST", "TEST_F", "TEST_P", "TEST_CASE", "KUNIT_CASE", "Scenario"]],
    [
      "what runs around each test is `fixture { setup { .. }  teardown { .. } }`",
      ["setup", "teardown", "setUp", "tearDown", "beforeEach", "afterEach", "before_each", "after_each", "FIXTURE_SETUP", "FIXTURE_TEARDOWN"],
    ],
    [
      "what runs once is `suite setup { .. }` and `suite teardown { .. }`",
      ["before", "after", "beforeAll", "afterAll", "before_all", "after_all", "setUpClass", "tearDownClass", "setup_module", "teardown_module"],
    ],
    ["the file has one fixture, which all of its tests have: `fixture { var fd: i32  setup { .. } }`", ["FIXTURE"]],
    ["nothing starts the tests: `guestspec run` finds them", ["TEST_HARNESS_MAIN", "RUN_ALL_TESTS", "kunit_test_suite", "kunit_test_suites"]],
    ["methods stand in their struct: `struct S { x: u32  fn go(self) { .. } }`", ["impl", "extension"]],
    ["a type has one name, its own; several values under one are a `struct`", ["type", "typedef", "typealias", "union"]],
    ["all that a file declares can be used by others: leave the word out", ["pub", "public", "export", "private", "protected", "inline"]],
    ["guest code waits where it stands: leave the word out", ["async"]],
    ["a constant is `const X = 3`, a variable of the file `var x: u32 = 3`", ["final"]],
    ['it stands before the block: `test "name" xfail "why" { .. }`', ["xfail", "skip", "needs"]],
    ["there are no macros and no templates: declare a `fn`, or a `table` of cases", ["macro_rules", "macro", "template", "comptime"]],
  ],
);

/** Where a statement begins. */
export const foreignStatements = wordTable(
  {
    "else if": ["elif", "elsif", "elseif"],
    "while true": ["loop", "do", "forever"],
    assert: ["require"],
    expect: ["check", "verify", "should"],
    info: ["print"],
    fn: ["func", "def", "function"],
    var: ["mut"],
    defer: ["finally"],
    for: ["foreach"],
  },
  [
    ["a choice of many is `match value { 1 { .. } 2, 3 { .. } else { .. } }`", ["switch", "case", "select", "default"]],
    ["a loop that counts is `for i in 0..4 { .. }`", ["repeat"]],
    ["a loop with a condition is `while not done { .. }`; to wait is `wait until done within 1ms`", ["until"]],
    ["a condition is turned round by `not`: `if not done { .. }`", ["unless"]],
    ["a trap is expected by `expect trap { .. }`, and what runs whatever happens is `defer { .. }`", ["catch", "except"]],
    ["a trap is expected by `expect trap { .. }`; without `try` a check that fails is told, too", ["try"]],
    [HOW_TO_FAIL, ["raise", "throw", "panic", "throws"]],
    ["what must happen on every way out is `defer { .. }`, which `return` runs", ["goto"]],
    ["guest code waits where it stands: `wait until done within 1ms`", ["await", "async", "yield"]],
    [HOW_TO_RELEASE, ["del", "delete", "free"]],
    [USE, ["import", "using"]],
  ],
);

/** Words that go on with a block of a foreign statement, behind its `}`. */
export const foreignContinuations: ReadonlySet<string> = new Set(["catch", "except", "finally", "elif", "elsif", "elseif", "until"]);

const MACROS: readonly (readonly [RegExp, string])[] = [
  [/^(debug_)?assert/, CHECK],
  [/^(e?print(ln)?|dbg|info|log|debug|trace|warn)$/, LINE],
  [/^(panic|todo|unimplemented|unreachable)$/, HOW_TO_FAIL],
  [/^vec$/, "an array is `[1, 2, 3]`, and `[0; 16]` sixteen zeros"],
  [/^(format|write(ln)?|concat|stringify)$/, 'values go into a text where it is used: `info "v is {v:x}"`'],
  [/^(asm|global_asm|naked_asm)$/, "assembler stands in `asm riscv64 { .. }`, for a target each"],
];

/** What `def test_adds` and `func TestAdds` declare. */
export function declaresTest(name: string): boolean {
  return /^(test_|Test[A-Z]|test[A-Z])/.test(name);
}

/** For `name!(..)`. */
export function helpForMacro(name: string): string {
  return MACROS.find(([pattern]) => pattern.test(name))?.[1] ?? "there are no macros; what looks like a call is a call: leave the `!` out";
}

const DIRECTIVES: Readonly<Record<string, string>> = {
  include: USE,
  import: USE,
  define: "a constant is `const NAME = value`; what has parameters is a `fn`",
};

const ATTRIBUTES: readonly (readonly [RegExp, string])[] = [
  [/\btest\b/, HOW_TO_TEST],
  [/\bignore\b/, 'a test is left out by `test "name" skip "why" { .. }`'],
  [/\bshould_panic\b/, "a trap is expected in the test: `expect trap { .. }`"],
];

/** What `#` begins in other languages: a directive of C, an attribute of Rust; null: a comment, most likely. */
export function readHash(line: string): { readonly what: string; readonly length: number; readonly help: string } | null {
  const directive = /^#[ \t]*(include|import|define|undef|ifdef|ifndef|if|elif|else|endif|pragma|error)\b.*/.exec(line);
  if (directive !== null) {
    const [whole, word = ""] = directive;
    const help = DIRECTIVES[word] ?? "there is no preprocessor: code of one target stands in `when target riscv64 { .. }`, or in a `fn` with `on riscv64`";
    return { what: `#${word}`, length: whole.length, help };
  }
  const attribute = /^#!?\[[^\]]*\]/.exec(line);
  if (attribute === null) return null;
  const help = ATTRIBUTES.find(([pattern]) => pattern.test(attribute[0]))?.[1] ?? "attributes stand before a test: `@tags(slow)`";
  return { what: attribute[0], length: attribute[0].length, help };
}

/** Clauses that others give a test behind its name. */
export const foreignClauses = wordTable({}, [
  ["the cases of a test are `for row in rows`, of a table, or `for n in [1, 2]`", ["with", "where", "each", "given", "parametrize", "cases", "in"]],
  ["attributes stand before the test: `@tags(slow)` in a line of its own", ["tags", "tag", "slow"]],
  ["attributes stand before the test: `@timeout(5ms)` in a line of its own", ["timeout"]],
  ["guest code waits where it stands: leave the word out", ["async"]],
  ['a test is left out by `needs` what it needs, or by `skip if c, "why"` in its body', ["if", "unless", "when"]],
]);

/** Attributes of other test systems. */
export const foreignAttributes = wordTable({ tags: ["tag", "mark", "marks", "category", "group"], slow: ["long"] }, [
  ['a test is left out by `test "name" skip "why" { .. }`', ["skip", "ignore", "disabled", "pending"]],
  ['a test that is expected to fail is `test "name" xfail "why" { .. }`', ["xfail", "expected_failure", "should_fail", "should_panic"]],
  ["one test alone runs by its name: `guestspec run FILE::name`", ["only", "focus"]],
  [
    "the cases of a test are `for row in rows`, of a table, or `for n in [1, 2]`",
    ["parametrize", "parameterize", "parameterized", "params", "each", "values", "cases", "test_case", "rstest", "case", "pytest"],
  ],
  [HOW_TO_TEST, ["test", "Test", "it"]],
  ["what runs around each test is `fixture { setup { .. }  teardown { .. } }`", ["fixture", "before", "after", "Before", "After", "setup", "teardown"]],
]);

/** What others call our types. */
export const foreignTypes: Readonly<Record<string, readonly string[]>> = {
  u8: ["char", "byte", "uchar", "uint8", "uint8_t", "__u8"],
  i8: ["int8", "int8_t", "sbyte", "__s8", "s8"],
  u16: ["ushort", "uint16", "uint16_t", "__u16", "__le16"],
  i16: ["short", "int16", "int16_t", "__s16", "s16"],
  u32: ["uint", "unsigned", "uint32", "uint32_t", "__u32", "__le32"],
  i32: ["int", "int32", "int32_t", "__s32", "s32"],
  u64: ["ulong", "uint64", "uint64_t", "__u64", "__le64"],
  i64: ["long", "int64", "int64_t", "__s64", "s64"],
  usize: ["size_t", "uintptr_t", "phys_addr_t", "isize", "ssize_t"],
  bool: ["boolean", "_Bool"],
  str: ["string", "String"],
};

/** A type of another language by its name here; a type of ours, or one that nobody knows, by its own. */
export function typeCalled(name: string): string {
  return Object.entries(foreignTypes).find(([, theirs]) => theirs.includes(name))?.[0] ?? name;
}

/** How a declaration of C begins. */
export const typesOfC = /^(?:void|int|long|short|char|bool|unsigned|signed|static|extern|inline|[iu](?:8|16|32|64|size)|\w+_t)$/;

/** `count: i32`, for `int count` and for `count int`. */
export function nameAndType(first: string, second: string): string {
  return typesOfC.test(first) ? `${second}: ${typeCalled(first)}` : `${first}: ${typeCalled(second)}`;
}
