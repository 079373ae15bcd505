// Every diagnostic code with what `guestspec explain CODE` prints: the grammar's table and, here, the compiler's: E04xx names, E05xx
// types and values, E06xx needs and targets, E07xx suites, tests and tables, E08xx machine code, W.. warnings. A test compiles the examples,
// so that what is said here stays true, and compares the table with the codes that the sources emit. A code is never given a new meaning.
// Examples leave out the `suite` line that a file with tests begins with, unless it is the point.

import { grammarCodes, type DiagnosticCode } from "../../grammar/codes.ts";

function entry(code: string, title: string, text: string, wrong: string, right: string): DiagnosticCode {
  return { code, title, explanation: `${text}\n\nWrong:\n\n\`\`\`gspec\n${wrong.trim()}\n\`\`\`\n\nRight:\n\n\`\`\`gspec\n${right.trim()}\n\`\`\`\n` };
}

export const compilerCodes: readonly DiagnosticCode[] = [
  // ---- Names ----
  entry(
    "E0401",
    "unknown name",
    "Nothing with this name is visible here: no variable, constant, function, table or module. Names of a file are visible in all of it, those of a block from their declaration to the block's end. The modules of the library need no `use`; what is in them stands behind their name: `timer.after(10us)`.",
    `
test "counts" {
  var count: u32 = 0
  coutn += 1
  expect count == 1
}`,
    `
test "counts" {
  var count: u32 = 0
  count += 1
  expect count == 1
}`,
  ),
  entry(
    "E0402",
    "unknown capability",
    "`needs` asks for what a machine offers, by names that are fixed: a misspelt one would skip the test on every machine without a word. `guestspec targets` shows what each machine offers.",
    `
test "two CPUs agree" needs cpu(2) {
  expect cpu.count() >= 2
}`,
    `
test "two CPUs agree" needs cpus(2) {
  expect cpu.count() >= 2
}`,
  ),
  entry(
    "E0403",
    "unknown tag",
    "Tags are declared, so that `-E 'tag(pci)'` never misses a test whose tag is misspelt. Beside the built-in ones a project lists its own under `tags:` in guestspec.yaml.",
    `
@tags(intterrupts)
test "ticks" { expect time.now() >= 0 }`,
    `
@tags(interrupts)
test "ticks" { expect time.now() >= 0 }`,
  ),
  entry(
    "E0404",
    "unknown trap class",
    "Traps have target-neutral classes, and `expect trap` names one of them, or an exception of the target compiled for: `riscv.load_page_fault`. The access of a trap is `read`, `write` or `execute`.",
    `
test "nothing is mapped here" {
  expect trap acess_fault { poke.u32(0xdead_0000, 1) }
}`,
    `
test "nothing is mapped here" {
  expect trap access_fault { poke.u32(0xdead_0000, 1) }
}`,
  ),
  entry(
    "E0405",
    "unknown type",
    "A type is a built-in one (`u8` to `u64`, `i8` to `i64`, `usize`, `bool`, `str`), a `struct`, `enum` or `regs` of this file or of one that it uses, or `module.Type`. `sizeof`, `edges` and `alloc` take a type where others take a value.",
    `
var ticks: uint32

test "starts at zero" { expect ticks == 0 }`,
    `
var ticks: u32

test "starts at zero" { expect ticks == 0 }`,
  ),
  entry(
    "E0406",
    "unknown module or file",
    '`use name` names a module of the guest library, `use "./path.gspec"` a file; so do `from` of a table and the name before the dot of a type. A path is relative to the file in which it stands.',
    `
use timr

test "starts" { expect time.now() >= 0 }`,
    `
use timer

test "starts" { expect time.now() >= 0 }`,
  ),
  entry(
    "E0407",
    "unknown field or method",
    "The value has no such field, method or property. Arrays, slices and strings have `.len`, types have `.size`, integer types `.min`, `.max` and `.bits` too, and a trap has `address`, `access`, `width`, `value` and `pc`.",
    `
struct Point { x: u32  y: u32 }

test "moves" {
  let p = Point { x: 1, y: 2 }
  expect p.z == 2
}`,
    `
struct Point { x: u32  y: u32 }

test "moves" {
  let p = Point { x: 1, y: 2 }
  expect p.y == 2
}`,
  ),
  entry(
    "E0408",
    "unknown attribute",
    "A suite, a test or a row of a table may have `@slow`, `@isolated`, `@tags(..)`, `@timeout(..)` and `@covers(..)`, a suite or a test `@exits(..)` too. Anything else would silently do nothing.",
    `
@timout(5ms)
test "is quick" { expect time.now() >= 0 }`,
    `
@timeout(5ms)
test "is quick" { expect time.now() >= 0 }`,
  ),
  entry(
    "E0409",
    "name declared twice",
    "A name has one meaning in its place: a file, a block, a struct, an enum, a register block. An inner block may declare a name anew and hides the outer one.",
    `
const WIDTH = 4
const WIDTH = 8

test "fits" { expect WIDTH > 0 }`,
    `
const WIDTH = 4
const WIDE = 8

test "fits" { expect WIDTH < WIDE }`,
  ),
  entry(
    "E0410",
    "unknown target",
    "`on TARGET` and `when target TARGET` name an instruction set. Every one must exist, also those that nothing is compiled for now.",
    `
test "reads its id" on x86 { expect 1 == 1 }`,
    `
test "reads its id" on x86_64 { expect 1 == 1 }`,
  ),
  entry(
    "E0411",
    "unknown register or field",
    "A register block has the registers that its `regs` declares, and a register the fields in its braces.",
    `
regs Uart { lsr: u8 @5 ro { ready: 0, thre: 5 } }

test "is empty" {
  let uart = Uart at machine.uart0.base
  expect uart.lsr.threempty == 1
}`,
    `
regs Uart { lsr: u8 @5 ro { ready: 0, thre: 5 } }

test "is empty" {
  let uart = Uart at machine.uart0.base
  expect uart.lsr.thre == 1
}`,
  ),
  entry(
    "E0412",
    "unknown member of an enum",
    "An enum has the members in its braces.",
    `
enum Color { red, green }

test "mixes" { expect Color.blue != Color.red }`,
    `
enum Color { red, green }

test "mixes" { expect Color.green != Color.red }`,
  ),
  entry(
    "E0413",
    "unknown or unclear table",
    "`like` and `from .. table` name a table, whose columns are then used. A file with several tables needs `table NAME` unless one has the same name.",
    `
table sums (a: u32, b: u32) { 1, 2 }
table more like sum { 3, 4 }

test "orders {p.a}" for p in more { expect p.a < p.b }`,
    `
table sums (a: u32, b: u32) { 1, 2 }
table more like sums { 3, 4 }

test "orders {p.a}" for p in more { expect p.a < p.b }`,
  ),
  entry(
    "E0414",
    "unknown machine constant",
    "`machine.DEVICE.PROPERTY` is a number from the description of the machine that the spec is compiled for: `machine.uart0.base`, `machine.uart0.irq`. `guestspec devices` lists them.",
    `
test "has a console" { expect machine.uart.base != 0 }`,
    `
test "has a console" { expect machine.uart0.base != 0 }`,
  ),

  // ---- Types and values ----
  entry(
    "E0501",
    "wrong type",
    "A value has another type than its place. Nothing is converted silently, except that an array serves as a slice and text as bytes: write `as T`, take an address with `&`, follow a pointer with `.*`.",
    `
fn twice(n: u32) -> u32 { return n * 2 }

test "doubles" {
  let n: u8 = 21
  expect twice(n) == 42
}`,
    `
fn twice(n: u32) -> u32 { return n * 2 }

test "doubles" {
  let n: u8 = 21
  expect twice(n as u32) == 42
}`,
  ),
  entry(
    "E0502",
    "value does not fit",
    "A number must fit the type of its place; only arithmetic in the guest wraps. `as T` cuts a number to the width if that is meant. Lengths, offsets and sizes have limits too.",
    `
test "stores a byte" {
  let b: u8 = 256
  expect b == 0
}`,
    `
test "stores a byte" {
  let b = 256 as u8
  expect b == 0
}`,
  ),
  entry(
    "E0503",
    "not a function",
    "Only functions, methods and values of a `fn(..)` type can be called. The built-in operations (`peek.u32` and the like) in turn are no values: they can only be called.",
    `
const LIMIT: u32 = 4

test "stays below" { expect LIMIT(1) == 4 }`,
    `
const LIMIT: u32 = 4

test "stays below" { expect LIMIT == 4 }`,
  ),
  entry(
    "E0504",
    "wrong number of arguments",
    "A call has one argument for every parameter. There are no default values.",
    `
fn add(a: u32, b: u32) -> u32 { return a + b }

test "adds" { expect add(1) == 1 }`,
    `
fn add(a: u32, b: u32) -> u32 { return a + b }

test "adds" { expect add(1, 0) == 1 }`,
  ),
  entry(
    "E0505",
    "operands of two types",
    "Both sides of an operator have one type: widths and signs never mix silently, because the result would depend on a rule that nobody sees. Convert one side with `as`.",
    `
test "adds" {
  let small: u8 = 200
  let large: u32 = 100
  expect small + large == 300
}`,
    `
test "adds" {
  let small: u8 = 200
  let large: u32 = 100
  expect small as u32 + large == 300
}`,
  ),
  entry(
    "E0506",
    "operation without meaning for the type",
    "Arithmetic wants integers, `<` integers or pointers, an index an array, slice or string, `.*` a pointer. Ranges and types are no values.",
    `
test "differs" {
  let done = true
  expect done + 1 == 2
}`,
    `
test "differs" {
  let done = true
  expect done as u32 + 1 == 2
}`,
  ),
  entry(
    "E0507",
    "not a constant",
    "Constants, cells of tables, lengths, names of cases and first values of variables are worked out when compiling. Variables, calls and registers have no value then: set a variable in `setup`, or compute in the test.",
    `
fn answer() -> u32 { return 42 }

var cached: u32 = answer()

test "is known" { expect cached == 42 }`,
    `
fn answer() -> u32 { return 42 }

fixture {
  var cached: u32
  setup { cached = answer() }
}

test "is known" { expect cached == 42 }`,
  ),
  entry(
    "E0508",
    "value depends on itself",
    "To know the value of a constant, variable or table its own value would be needed.",
    `
const FIRST = SECOND - 1
const SECOND = FIRST + 1

test "follows" { expect FIRST < 10 }`,
    `
const FIRST = 1
const SECOND = FIRST + 1

test "follows" { expect FIRST < SECOND }`,
  ),
  entry(
    "E0509",
    "assignment to what does not change",
    "A `let` keeps its value, and so do parameters and the variables of loops. What changes is declared with `var`.",
    `
test "counts" {
  let count: u32 = 0
  count += 1
  expect count == 1
}`,
    `
test "counts" {
  var count: u32 = 0
  count += 1
  expect count == 1
}`,
  ),
  entry(
    "E0510",
    "not a place",
    "Only what lies somewhere can be assigned to or has an address: variables, their fields and elements, what a pointer points to, registers. Constants and results of calls are values.",
    `
fn answer() -> u32 { return 42 }

test "reads" {
  let p = &answer()
  expect p.* == 42
}`,
    `
fn answer() -> u32 { return 42 }

test "reads" {
  let a = answer()
  let p = &a
  expect p.* == 42
}`,
  ),
  entry(
    "E0511",
    "condition is no bool",
    "Conditions, and the sides of `and`, `or` and `not`, are of type `bool`. A number is compared: `!= 0`.",
    `
test "is set" {
  let flags: u32 = 4
  expect flags & 4
}`,
    `
test "is set" {
  let flags: u32 = 4
  expect flags & 4 != 0
}`,
  ),
  entry(
    "E0512",
    "missing return",
    "A function with a result returns one on every path. An `if` without `else` may be passed by, and a loop may end; only `while true` without `break` does not.",
    `
fn sign(n: i32) -> i32 {
  if n < 0 { return -1 }
}

test "is negative" { expect sign(-5) == -1 }`,
    `
fn sign(n: i32) -> i32 {
  if n < 0 { return -1 }
  return 1
}

test "is negative" { expect sign(-5) == -1 }`,
  ),
  entry(
    "E0513",
    "return with or without a value",
    "`return` has a value, on the same line, exactly where the function declares one with `->`. Tests, hooks and fixtures return nothing.",
    `
fn half(n: u32) { return n / 2 }

test "halves" { half(4)  expect 4 / 2 == 2 }`,
    `
fn half(n: u32) -> u32 { return n / 2 }

test "halves" { expect half(4) == 2 }`,
  ),
  entry(
    "E0514",
    "impossible conversion",
    "`as` converts between integers, from `bool` and enums to integers and from integers to enums, and between `usize` and pointers or functions. Anything else has no meaning as bits.",
    `
test "is on" {
  let status: u32 = 1
  expect status as bool
}`,
    `
test "is on" {
  let status: u32 = 1
  expect status != 0
}`,
  ),
  entry(
    "E0516",
    "constant without a value",
    "The expression is worked out when compiling and has no value: it divides by zero, or shifts by more bits than its type has. In the guest the first would be a trap, and the second would shift by the count modulo the width.",
    `
test "shifts out" {
  let bits: u32 = 1
  expect bits << 32 == 0
}`,
    `
test "shifts out" {
  let bits: u32 = 1
  expect bits << 31 << 1 == 0
}`,
  ),
  entry(
    "E0517",
    "struct contains itself",
    "A struct lies in memory with all its fields, so it cannot hold one of its own kind, directly or through another struct or array. A pointer to it has a fixed size.",
    `
struct Node { value: u32  next: Node }

test "is small" { expect sizeof(Node) < 64 }`,
    `
struct Node { value: u32  next: *Node }

test "is small" { expect sizeof(Node) < 64 }`,
  ),
  entry(
    "E0518",
    "register read or written against its access",
    "`ro` registers and fields cannot be written, `wo` ones cannot be read. A test that is about just that goes below the declaration: `poke.u8(address, value)`.",
    `
regs Uart { lsr: u8 @5 ro }

test "ignores writes" {
  let uart = Uart at machine.uart0.base
  uart.lsr = 0
  expect uart.lsr != 0
}`,
    `
regs Uart { lsr: u8 @5 ro }

test "ignores writes" {
  let uart = Uart at machine.uart0.base
  poke.u8(machine.uart0.base + 5, 0)
  expect uart.lsr != 0
}`,
  ),
  entry(
    "E0519",
    "index beyond the end",
    "The index is known when compiling, and the array has no such element. In the guest, an index that is found out of bounds is a `bounds` trap.",
    `
test "has a last one" {
  let values = [10, 20, 30]
  expect values[3] == 30
}`,
    `
test "has a last one" {
  let values = [10, 20, 30]
  expect values[2] == 30
}`,
  ),
  entry(
    "E0520",
    "not a thing to loop over",
    "`for` goes over ranges of integers, arrays, slices, strings and tables. Counting is done with a range: `0..n` leaves the end out, `0..=n` includes it.",
    `
test "counts" {
  var sum: u64 = 0
  let n: u64 = 3
  for i in n { sum += i }
  expect sum == 3
}`,
    `
test "counts" {
  var sum: u64 = 0
  let n: u64 = 3
  for i in 0..n { sum += i }
  expect sum == 3
}`,
  ),
  entry(
    "E0521",
    "arms of a match",
    "`match` is over an integer or an enum; its arms are constants or ranges. Every value has exactly one arm: each member of the enum, or an `else` for the rest.",
    `
enum Color { red, green, blue }

test "knows all" {
  let c = Color.red
  match c {
    Color.red { info "red" }
    Color.green { info "green" }
  }
  expect c == Color.red
}`,
    `
enum Color { red, green, blue }

test "knows all" {
  let c = Color.red
  match c {
    Color.red { info "red" }
    else { info "another" }
  }
  expect c == Color.red
}`,
  ),
  entry(
    "E0523",
    "text with holes",
    "`{value}` in a text is filled in where text is printed: in messages, `info`, `fail`, `skip`, `print(..)`, and in the name of a test with `for`. Elsewhere a text is a constant. A literal brace is written twice: `{{`.",
    `
test "is called" {
  let n: u32 = 1
  let name = "item {n}"
  expect name.len == 6
}`,
    `
test "is called" {
  let n: u32 = 1
  let name = "item 1"
  expect name.len == 6, "item {n}"
}`,
  ),
  entry(
    "E0525",
    "value missing or unused",
    "A call of a function without result stands where a value is needed, or a value stands where nothing is done with it. The usual cause of the second is a check without its `expect`.",
    `
test "adds" {
  1 + 1 == 2
}`,
    `
test "adds" {
  expect 1 + 1 == 2
}`,
  ),
  entry(
    "E0526",
    "break or continue outside of a loop",
    "`break` and `continue` act on the loop around them. A handler, `cpu` block, trap body or deferred block runs elsewhere or later and cannot leave a loop around it.",
    `
test "stops" {
  if time.now() > 0 { break }
  expect 1 == 1
}`,
    `
test "stops" {
  while true {
    if time.now() > 0 { break }
  }
  expect 1 == 1
}`,
  ),
  entry(
    "E0527",
    "return from a block that runs elsewhere",
    "Handlers, `cpu` blocks, trap bodies and deferred blocks run on their own: they cannot end the function around them. Set a variable and test it after the block.",
    `
fn probe() -> bool {
  expect no trap { return peek.u32(machine.ram.base) == 0 }
  return false
}

test "probes" { expect probe() or not probe() }`,
    `
fn probe() -> bool {
  var found = false
  expect no trap { found = peek.u32(machine.ram.base) == 0 }
  return found
}

test "probes" { expect probe() or not probe() }`,
  ),
  entry(
    "E0528",
    "bits of a register's field",
    "A field lies inside its register, its higher bit comes first as in manuals (`7..4`), and no two fields share a bit.",
    `
regs Timer { control: u8 @0 { enable: 0, mode: 2..0 } }

test "is off" {
  let t = Timer at machine.ram.base
  expect t.control.enable == 0
}`,
    `
regs Timer { control: u8 @0 { enable: 0, mode: 2..1 } }

test "is off" {
  let t = Timer at machine.ram.base
  expect t.control.enable == 0
}`,
  ),
  entry(
    "E0529",
    "nested too deeply",
    "Expressions, statements and declarations that depend on each other may be nested 400 deep, the operands of a long sum included. Give parts of it names.",
    `
test "adds" {
  expect 0${" + 1".repeat(400)} == 400
}`,
    `
test "adds" {
  var sum: u32 = 0
  for _i in 0..400 { sum += 1 }
  expect sum == 400
}`,
  ),

  entry(
    "E0530",
    "method without self",
    "A function inside a struct is a method: it is called on a value, whose address is its first parameter, `self`. A function that needs no value stands outside.",
    `
struct Point {
  x: u32
  y: u32

  fn distance(other: *Point) -> u32 { return other.x + other.y }
}`,
    `
struct Point {
  x: u32
  y: u32

  fn distance(self, other: *Point) -> u32 { return other.x + other.y - self.x - self.y }
}`,
  ),

  entry(
    "E0540",
    "interface not implemented",
    "A struct that names an interface after its colon has every method of it, with the same parameters and result, its own or its base's. A method that takes over one of the base has the base's parameters and result.",
    `
interface Sensor {
  fn read(self) -> u16
}

struct Constant: Sensor {
  value: u16
}`,
    `
interface Sensor {
  fn read(self) -> u16
}

struct Constant: Sensor {
  value: u16

  fn read(self) -> u16 { return self.value }
}`,
  ),
  entry(
    "E0541",
    "wrong parent of a struct",
    "After its colon a struct names at most one struct, which it extends and which comes first, and any number of interfaces, each once.",
    `
struct Named { name: str }
struct Counted { count: u32 }
struct Both: Named, Counted { kind: u8 }`,
    `
struct Named { name: str }
struct Counted { count: u32 }
struct Both: Named { counted: Counted, kind: u8 }`,
  ),
  entry(
    "E0542",
    "interface used as a value",
    "An interface says what its implementations can do; it has no size and no values. `*Iface` points to a value of any struct that implements it.",
    `
interface Sensor {
  fn read(self) -> u16
}

fn twice(sensor: Sensor) -> u16 { return 2 * sensor.read() }`,
    `
interface Sensor {
  fn read(self) -> u16
}

fn twice(sensor: *Sensor) -> u16 { return 2 * sensor.read() }`,
  ),
  entry(
    "E0550",
    "not a function to stub",
    "`stub fn` replaces a function of the program: one of the file or of a file that it uses, `module.name` of the library, or a method, `Struct.name`. Instructions (`peek.u32`), built-in functions and function values cannot be replaced.",
    `
test "reads" {
  stub fn peek.u32(_address: usize) -> u32 { return 5 }
  expect peek.u32(machine.ram.base) == 5
}`,
    `
fn status(base: usize) -> u32 { return peek.u32(base + 4) }

test "reads" {
  stub fn status(_base: usize) -> u32 { return 5 }
  expect status(machine.ram.base) == 5
}`,
  ),
  entry(
    "E0551",
    "stub with another signature",
    "Callers do not know of the stub, so it has the parameters and the result of what it replaces. The names of its parameters are its own.",
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads" {
  stub fn read(id: u8) -> u32 { return 7 }
  expect read(1) == 7
}`,
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads" {
  stub fn read(_id: u8) -> u16 { return 7 }
  expect read(1) == 7
}`,
  ),
  entry(
    "E0552",
    "function that cannot be stubbed",
    "The modules that run and report tests (`runtime`, `report`, `format`, `console`, `trap` and those of native images) are what a failing stub is told by, so they stay what they are.",
    `
test "prints nothing" {
  stub fn console.put(_byte: u8) {}
  expect true
}`,
    `
fn put(byte: u8) { console.put(byte) }

test "prints nothing" {
  stub fn put(_byte: u8) {}
  put('a')
  expect true
}`,
  ),
  entry(
    "E0553",
    "stub that outlives a variable",
    "A stub stands until the test's body ends. In the body it may use the body's variables. A function, a fixture's `setup` or a block that runs elsewhere ends before, with its variables; what stands there uses variables of the file or of the fixture.",
    `
fn read() -> u16 { return 0 }

fn fix(value: u16) {
  stub fn read() -> u16 { return value }
}

test "reads" {
  fix(7)
  expect read() == 7
}`,
    `
fn read() -> u16 { return 0 }

var fixed: u16

fn fix(value: u16) {
  fixed = value
  stub fn read() -> u16 { return fixed }
}

test "reads" {
  fix(7)
  expect read() == 7
}`,
  ),
  entry(
    "E0554",
    "log of a function that is not stubbed",
    "`f.calls` holds the calls that stubs of `f` got. A function that no test of the suite stubs is called directly, and nothing sees its calls. A stub that calls `real` logs without changing anything.",
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads once" {
  expect read(1) == 1
  expect read.calls.len == 1
}`,
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads once" {
  stub fn read(id: u8) -> u16 { return real(id) }
  expect read(1) == 1
  expect read.calls.len == 1
}`,
  ),
  entry(
    "E0555",
    "`no call` that says more",
    "`expect no call f(1)` holds when no such call comes. There is nothing to answer, to count or to follow.",
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads nothing" {
  expect no call read(1) returns 5
}`,
    `
fn read(id: u8) -> u16 { return id as u16 }

test "reads nothing" {
  expect no call read(1)
}`,
  ),
  entry(
    "E0560",
    "method of a fake called `all`",
    "`fake.calls.all` is the log of all calls of a fake, so an interface with a method of that name cannot be faked by `fake`. A struct can implement it.",
    `
interface Set {
  fn all(self) -> u32
}

fake Empty: Set {
  fn all(self) -> u32 { return 0 }
}`,
    `
interface Set {
  fn all(self) -> u32
}

struct Empty: Set {
  unused: u32

  fn all(self) -> u32 { return 0 }
}`,
  ),

  // ---- Needs and targets ----
  entry(
    "E0601",
    "argument of a capability",
    "`cpus(2)` and `ram(1MiB)` take a number, `pci(0x1b36:0x0005)` an id, `virtio(console)` a word, and most capabilities nothing.",
    `
test "finds it" needs pci(0x1b36) { expect 1 == 1 }`,
    `
test "finds it" needs pci(0x1b36:0x0005) { expect 1 == 1 }`,
  ),
  entry(
    "E0602",
    "function of another target",
    "A function that is declared `on` some targets does not exist on the others. What calls it stands in a test `on` the same targets, or in `when target`.",
    `
fn serialize() on x86_64 { }

test "serializes" {
  serialize()
  expect 1 == 1
}`,
    `
fn serialize() on x86_64 { }

test "serializes" {
  when target x86_64 { serialize() }
  expect 1 == 1
}`,
  ),
  entry(
    "E0603",
    "assembler for another target",
    "`asm` is assembled for the target that it names. Where a spec is compiled for several, it stands in `when target`.",
    `
test "stops" {
  asm x86_64 { pause }
  expect 1 == 1
}`,
    `
test "stops" {
  when target x86_64 { asm x86_64 { pause } }
  expect 1 == 1
}`,
  ),

  entry(
    "E0604",
    "register of an operand",
    "The operands of `asm` are in general registers of the target, by the names that its assembler takes. Some of them are not free: compiled code keeps the stack pointer, the CPU's block and the fuel there (docs/native.md, 3). Others, such as floating-point registers, can be clobbered, but hold no operand.",
    `
test "doubles" on riscv64 {
  var y: u64
  asm riscv64 (in a8 = 21, out a0 = y) { slli a0, a7, 1 }
  expect y == 42
}`,
    `
test "doubles" on riscv64 {
  var y: u64
  asm riscv64 (in a7 = 21, out a0 = y) { slli a0, a7, 1 }
  expect y == 42
}`,
  ),
  entry(
    "E0605",
    "operand of asm",
    "An operand is one register: an integer, a `bool` or a pointer. A register takes one input and gives one result; both may be the same register, written as `inout` or as two operands. What is a result need not be clobbered.",
    `
test "adds" on riscv64 {
  var sum: u64
  asm riscv64 (in a0 = 1, in a0 = 2, out a2 = sum) { add a2, a0, a1 }
  expect sum == 3
}`,
    `
test "adds" on riscv64 {
  var sum: u64
  asm riscv64 (in a0 = 1, in a1 = 2, out a2 = sum) { add a2, a0, a1 }
  expect sum == 3
}`,
  ),
  entry(
    "E0606",
    "assembler text",
    "The target's assembler does not take the text of an `asm` block. It knows the target's instructions, labels, integer expressions, data directives, and the integer constants of the program by their names.",
    `
test "waits" on riscv64 {
  asm riscv64 { puase }
  expect 1 == 1
}`,
    `
test "waits" on riscv64 {
  asm riscv64 { pause }
  expect 1 == 1
}`,
  ),
  entry(
    "E0607",
    "name of another target",
    "Names that begin with `x86.`, `riscv.` or `aarch64.` are a target's own: its exceptions and its system registers. They exist only where that target is compiled for. The classes of traps, such as `protection`, are the same on all targets.",
    `
test "a gate is missing" {
  expect trap x86.gp { cpu.breakpoint() }
}`,
    `
test "a gate is missing" {
  when target x86_64 {
    expect trap x86.gp { cpu.breakpoint() }
  } else {
    expect trap breakpoint { cpu.breakpoint() }
  }
}`,
  ),

  // ---- Suites, tests and tables ----
  entry(
    "E0701",
    "test without a suite",
    "A file with tests begins with the name of its suite, which is part of every test's id.",
    `
test "adds" { expect 1 + 1 == 2 }`,
    `
suite "arithmetic"

test "adds" { expect 1 + 1 == 2 }`,
  ),
  entry(
    "E0702",
    "two tests of one name",
    "A test's name is part of its id: results, filters and the repro line refer to it.",
    `
test "adds" { expect 1 + 1 == 2 }
test "adds" { expect 2 + 2 == 4 }`,
    `
test "adds one" { expect 1 + 1 == 2 }
test "adds two" { expect 2 + 2 == 4 }`,
  ),
  entry(
    "E0703",
    "two rows of one name",
    "A row's name is part of its test's id, so a table has each name once.",
    `
table sums (a: u32, b: u32) {
  1, 2   as "small"
  3, 4   as "small"
}

test "orders" for p in sums { expect p.a < p.b }`,
    `
table sums (a: u32, b: u32) {
  1, 2   as "small"
  3, 4   as "larger"
}

test "orders" for p in sums { expect p.a < p.b }`,
  ),
  entry(
    "E0704",
    "wrong number of cells",
    "A row has one cell for every column of its table.",
    `
table sums (a: u32, b: u32) {
  1, 2, 3
}

test "orders" for p in sums { expect p.a < p.b }`,
    `
table sums (a: u32, b: u32) {
  1, 2
}

test "orders" for p in sums { expect p.a < p.b }`,
  ),
  entry(
    "E0705",
    "cases of a test",
    "The `for` of a test makes one case for every row of a table, element of a list or number of a range, all known when compiling, and at most a million in all.",
    `
test "writes {n}" for n in 4 { expect n < 4 }`,
    `
test "writes {n}" for n in 0..4 { expect n < 4 }`,
  ),
  entry(
    "E0707",
    "second fixture or hook",
    "A suite has one `fixture`, one `suite setup` and one `suite teardown`: the order of several would not be visible.",
    `
fixture { var a: u32 }
fixture { var b: u32 }

test "starts at zero" { expect a + b == 0 }`,
    `
fixture {
  var a: u32
  var b: u32
}

test "starts at zero" { expect a + b == 0 }`,
  ),
  entry(
    "E0708",
    "hook for an unknown table",
    "`table setup for NAME` and `table teardown for NAME` belong to a table of the same file.",
    `
table widths (n: u32) { 1; 2; 4 }
table setup for width { info "begins" }

test "is small" for p in widths { expect p.n < 5 }`,
    `
table widths (n: u32) { 1; 2; 4 }
table setup for widths { info "begins" }

test "is small" for p in widths { expect p.n < 5 }`,
  ),
  entry(
    "E0709",
    "wrong timeout",
    "`@timeout` takes guest time above zero, with its unit: `500us`, `5ms`, `1s`.",
    `
@timeout(5)
test "is quick" { expect 1 == 1 }`,
    `
@timeout(5ms)
test "is quick" { expect 1 == 1 }`,
  ),

  // ---- Lowering ----
  {
    code: "E0801",
    title: "not lowered",
    explanation:
      "The back end of this target cannot make machine code of an operation: the target is being written (docs/howto/add-a-target-in-one-folder.md). The note lists everything that it has not got yet. A spec cannot do anything about it.\n",
  },

  // ---- Warnings ----
  entry(
    "W0401",
    "unused variable",
    "A local variable is declared and never read or written. Often another name was meant. A name that begins with `_` is not warned about.",
    `
test "adds" {
  let sum = 1 + 1
  expect 1 + 1 == 2
}`,
    `
test "adds" {
  let sum = 1 + 1
  expect sum == 2
}`,
  ),
  entry(
    "W0402",
    "statement that is never reached",
    "Whatever stands before it in its block ends in `return`, `break` or `continue`. Mostly a line was moved, or a condition forgotten.",
    `
fn limit(n: u32) -> u32 {
  return n
  expect n < 8
}
test "limits" { expect limit(5) == 5 }`,
    `
fn limit(n: u32) -> u32 {
  expect n < 8
  return n
}
test "limits" { expect limit(5) == 5 }`,
  ),
  entry(
    "W0701",
    "test that checks nothing",
    "Nothing in the test can fail: no `expect`, `assert` or `fail`, no wait, no call of a function that may check. It passes, and says little.",
    `
test "runs" { let _x = 1 }`,
    `
test "runs" { let x = 1  expect x == 1 }`,
  ),
  entry(
    "W0702",
    "test without cases",
    "The table, list or range of the test's `for` is empty, so that the test has one case, which is skipped with that reason.",
    `
test "writes {n}" for n in 4..4 { expect n < 4 }`,
    `
test "writes {n}" for n in 0..4 { expect n < 4 }`,
  ),
];

let byCode: ReadonlyMap<string, DiagnosticCode> | undefined;

/** All codes of the grammar and the compiler, in order. */
export function listCodes(): readonly DiagnosticCode[] {
  return [...grammarCodes, ...compilerCodes];
}

export function findCode(code: string): DiagnosticCode | undefined {
  byCode ??= new Map(listCodes().map((known) => [known.code, known]));
  return byCode.get(code);
}
