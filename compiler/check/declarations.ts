// Declarations of a module: first all names, then what they mean, on demand, so that order in a file does not matter and a
// cycle is found where it closes. Function bodies come last, when every signature is known.

import type { EnumItem, FnItem, RegsItem, RegisterDecl } from "../../grammar/ast.ts";
import { textOf, type Span } from "../../grammar/source.ts";
import { completeBody, type FunctionBody, type Global, type Guess, type HFunction, type HTable, type Local } from "../hir.ts";
import {
  ERROR,
  U32,
  VOID,
  bitsOf,
  integerRange,
  showType,
  type EnumType,
  type InterfaceType,
  type Register,
  type RegisterField,
  type RegsType,
  type StructType,
  type Type,
} from "../types.ts";
import { evaluate, type ConstValue } from "./constants.ts";
import { fail, failTwice, listNames, suggest, type Context } from "./context.ts";
import { defaultType, quote, showBig } from "./convert.ts";
import { checkConstant, checkExpr, checkInteger, checkLength } from "./expressions.ts";
import { logCalls } from "./fakes.ts";
import { suggestTarget } from "./foreign-names.ts";
import { checkImplements, checkOverride, resolveInterface } from "./interfaces.ts";
import { createReach } from "./reach.ts";
import { completeType, registerStruct, resolveSized, resolveType } from "./resolve-types.ts";
import { moduleScope, type ConstEntry, type FnEntry, type GlobalEntry, type Module, type Symbol, type TableEntry } from "./scope.ts";
import { checkBody } from "./statements.ts";
import { resolveTable } from "./tables.ts";

/** The context of a module's file level. */
export function moduleContext(context: Context, module: Module): Context {
  return { ...context, scope: moduleScope(module), body: null, inLoop: false, cleanups: { any: false }, inferred: { cpus: 0, checks: false } };
}

export function spanOfSymbol(symbol: Symbol): Span {
  switch (symbol.kind) {
    case "local":
      return symbol.local.span;
    case "const":
    case "fn":
    case "global":
      return symbol.item.name.span;
    case "table":
    case "type":
    case "namespace":
      return symbol.span;
  }
}

function declare(context: Context, module: Module, name: string, span: Span, symbol: Symbol): void {
  const before = module.names.get(name);
  if (before !== undefined) {
    failTwice(context, span, `\`${name}\``, spanOfSymbol(before));
    return;
  }
  module.names.set(name, symbol);
}

/** Enters every top-level name of the file. */
export function declareNames(context: Context, module: Module): void {
  for (const item of module.file.items) {
    const inner = moduleContext(context, module);
    switch (item.kind) {
      case "const":
        declare(inner, module, item.name.text, item.name.span, {
          kind: "const",
          item,
          module,
          state: "waiting",
          type: ERROR,
          value: null,
          reach: createReach(),
        });
        break;
      case "var":
        declare(inner, module, item.name.text, item.name.span, { kind: "global", item, module, state: "waiting", global: null, reach: createReach() });
        break;
      case "fn":
        if (isForTarget(inner, item)) declare(inner, module, item.name.text, item.name.span, createFunction(module, item, null));
        break;
      case "struct": {
        const type: StructType = { kind: "struct", name: item.name.text, declared: item.name.span, fields: [], size: 0, align: 1 };
        const entry = {
          type,
          isFake: item.isFake === true,
          fields: item.fields.map((field) => ({ name: field.name.text, type: field.type, span: field.name.span })),
          parents: item.parents ?? [],
          state: "waiting" as const,
        };
        module.structs.push(entry);
        registerStruct(module, entry);
        declare(inner, module, item.name.text, item.name.span, { kind: "type", type, span: item.name.span });
        const methods = new Map<string, FnEntry>();
        for (const method of item.methods) {
          const before = methods.get(method.name.text)?.item.name.span ?? item.fields.find((field) => field.name.text === method.name.text)?.name.span;
          if (before !== undefined) failTwice(inner, method.name.span, `\`${method.name.text}\``, before, `in \`${item.name.text}\``);
          methods.set(method.name.text, createFunction(module, method, type));
        }
        module.methods.set(type, methods);
        break;
      }
      case "interface": {
        const type: InterfaceType = { kind: "interface", name: item.name.text, declared: item.name.span, methods: [] };
        declare(inner, module, item.name.text, item.name.span, { kind: "type", type, span: item.name.span });
        break;
      }
      case "enum": {
        const type: EnumType = { kind: "enum", name: item.name.text, declared: item.name.span, base: U32, members: new Map() };
        module.enums.push(type);
        declare(inner, module, item.name.text, item.name.span, { kind: "type", type, span: item.name.span });
        break;
      }
      case "regs": {
        const type: RegsType = { kind: "regs", name: item.name.text, declared: item.name.span, registers: new Map() };
        module.regs.push(type);
        declare(inner, module, item.name.text, item.name.span, { kind: "type", type, span: item.name.span });
        break;
      }
      case "table":
        declare(inner, module, item.name.text, item.name.span, {
          kind: "table",
          item,
          module,
          span: item.name.span,
          state: "waiting",
          table: null,
          reach: createReach(),
        });
        break;
      case "use":
      case "test":
      case "fixture":
      case "suite-hook":
      case "table-hook":
        break;
    }
  }
}

function isForTarget(context: Context, item: FnItem): boolean {
  if (item.on.length === 0) return true;
  let here = false;
  for (const name of item.on) {
    if (name.text === context.target.name) here = true;
    checkTargetName(context, name.text, name.span);
  }
  return here;
}

/** Every name of a target must exist, whether or not it is the one compiled for. */
export function checkTargetName(context: Context, name: string, span: Span): void {
  if (context.modules.targets.includes(name)) return;
  fail(context, span, "E0410", `there is no target \`${name}\``, {
    label: "unknown target",
    help: suggestTarget(name) ?? suggest(name, context.modules.targets) ?? `the targets are ${listNames(context.modules.targets)}`,
  });
}

function createFunction(module: Module, item: FnItem, owner: StructType | null): FnEntry {
  const name = owner === null ? item.name.text : `${owner.name}.${item.name.text}`;
  const fn: HFunction = {
    name: module.libName === null ? name : `${module.libName}.${name}`,
    span: item.name.span,
    type: { params: [], result: VOID },
    body: null,
  };
  return { kind: "fn", item, module, function: fn, owner, state: "waiting", reach: createReach() };
}

/** Signatures, enums and register blocks: everything that bodies and constants refer to. */
export function resolveSignatures(context: Context, module: Module): void {
  const inner = moduleContext(context, module);
  for (const item of module.file.items) {
    if (item.kind === "enum") resolveEnum(inner, item);
    if (item.kind === "regs") resolveRegs(inner, item);
  }
  for (const item of module.file.items) if (item.kind === "interface") resolveInterface(inner, item);
  for (const entry of functionsOf(module)) resolveSignature(inner, entry);
}

export function* functionsOf(module: Module): Generator<FnEntry> {
  for (const symbol of module.names.values()) if (symbol.kind === "fn") yield symbol;
  for (const methods of module.methods.values()) yield* methods.values();
}

/** The types of a function's parameters and result, on demand: the values of an enum may call it before its turn comes. */
export function resolveSignature(from: Context, entry: FnEntry): void {
  if (entry.state === "done") return;
  entry.state = "done";
  const { item } = entry;
  const context: Context = { ...moduleContext(from, entry.module), reach: null };
  const params = item.params.map((param) => resolveSized(context, param.type));
  const seen = new Map<string, Span>();
  for (const { name } of item.params) {
    const before = seen.get(name.text);
    if (before !== undefined) failTwice(context, name.span, `parameter \`${name.text}\``, before);
    seen.set(name.text, name.span);
  }
  const [self] = params;
  if (entry.owner !== null && self?.kind !== "error" && (item.params[0]?.name.text !== "self" || self?.kind !== "pointer" || self.target !== entry.owner)) {
    fail(context, item.params[0]?.name.span ?? item.name.span, "E0530", `the first parameter of method \`${item.name.text}\` is not \`self\``, {
      related: [{ span: entry.owner.declared, text: "the struct" }],
      help: `write \`fn ${item.name.text}(self${item.params.length > 0 ? ", .." : ""})\`, or move it out of the struct`,
    });
  }
  entry.function.type = { params, result: item.result === null ? VOID : resolveSized(context, item.result) };
}

function resolveEnum(context: Context, item: EnumItem): void {
  const symbol = context.scope.module.names.get(item.name.text);
  if (symbol?.kind !== "type" || symbol.type.kind !== "enum" || symbol.type.declared !== item.name.span) return;
  const type = symbol.type;
  if (item.type !== null) {
    const base = resolveType(context, item.type);
    if (base.kind === "int") type.base = base;
    else if (base.kind !== "error")
      fail(context, item.type.span, "E0501", `an enum's values are integers, found ${quote(base)}`, { label: "not an integer type" });
  }
  const members = new Map<string, bigint>();
  const places = new Map<string, Span>();
  const range = integerRange(type.base, context.target.layout);
  let next = 0n;
  for (const member of item.members) {
    const given = member.value === null ? next : checkInteger(context, member.value, "an enum's value");
    const value = given ?? next;
    const before = places.get(member.name.text);
    if (before !== undefined) failTwice(context, member.name.span, `member \`${member.name.text}\``, before, `in \`${type.name}\``);
    places.set(member.name.text, member.name.span);
    if (value < range.min || value > range.max) {
      fail(context, member.value?.span ?? member.name.span, "E0502", `${showBig(value)} does not fit \`${type.base.name}\``, {
        label: `\`${type.base.name}\` holds ${showBig(range.min)} to ${showBig(range.max)}`,
        related: item.type === null ? [] : [{ span: item.type.span, text: "the values' type" }],
      });
    }
    members.set(member.name.text, value);
    next = value + 1n;
  }
  type.members = members;
}

// ---- Register blocks ----

/** A register block is addressed by one base; the offset is part of each access instruction. */
const MAX_OFFSET = 0x0fff_ffffn;

function resolveRegs(context: Context, item: RegsItem): void {
  const symbol = context.scope.module.names.get(item.name.text);
  if (symbol?.kind !== "type" || symbol.type.kind !== "regs" || symbol.type.declared !== item.name.span) return;
  const registers = new Map<string, Register>();
  for (const declared of item.registers) {
    const register = resolveRegister(context, declared);
    if (register === null) continue;
    const before = registers.get(register.name);
    if (before !== undefined) failTwice(context, declared.name.span, `register \`${register.name}\``, before.declared, `in \`${item.name.text}\``);
    registers.set(register.name, register);
  }
  symbol.type.registers = registers;
}

function resolveRegister(context: Context, declared: RegisterDecl): Register | null {
  const written = declared.type.kind === "array-type" ? declared.type.element : declared.type;
  const type = resolveType(context, written);
  const count = declared.type.kind === "array-type" ? checkLength(context, declared.type.length) : null;
  const offset = checkInteger(context, declared.offset, "a register's offset");
  if (type.kind !== "error" && (type.kind !== "int" || type.signed)) {
    fail(context, written.span, "E0501", `a register is an unsigned integer, found ${quote(type)}`, {
      label: "not an unsigned integer",
      help: type.kind === "int" ? `read it as \`u${bitsOf(type, context.target.layout)}\` and convert the value` : undefined,
    });
    return null;
  }
  if (type.kind !== "int" || offset === null) return null;
  if (offset < 0n || offset > MAX_OFFSET) {
    fail(context, declared.offset.span, "E0502", `${showBig(offset)} is no offset of a register`, { label: `0 to ${showBig(MAX_OFFSET)}` });
    return null;
  }
  const bits = bitsOf(type, context.target.layout);
  const reset = declared.reset === null ? null : checkInteger(context, declared.reset, "a reset value");
  if (reset !== null && (reset < 0n || reset >> BigInt(bits) !== 0n) && declared.reset !== null) {
    fail(context, declared.reset.span, "E0502", `${showBig(reset)} does not fit \`${showType(type)}\``, {
      label: "the reset value",
      related: [{ span: written.span, text: "the register's type" }],
    });
  }
  const access = declared.access ?? "rw";
  const fields = declared.fields.flatMap((field): (RegisterField & { readonly isWrong?: boolean })[] => {
    const high = checkInteger(context, field.high, "a bit number");
    const low = field.low === null ? high : checkInteger(context, field.low, "a bit number");
    if (high === null || low === null) return [];
    if (low < 0n || high < low || high >= BigInt(bits)) {
      const reversed = high < low && high >= 0n && low < BigInt(bits);
      const what = high === low ? `bit ${showBig(low)} is` : `bits ${showBig(high)}..${showBig(low)} are`;
      fail(
        context,
        field.span,
        "E0528",
        reversed ? `field \`${field.name.text}\` begins with its lower bit` : `${what} outside the ${bits} bits of \`${declared.name.text}\``,
        {
          related: reversed ? [] : [{ span: written.span, text: `bits ${bits - 1}..0` }],
          help: reversed ? `the higher bit comes first: \`${low}..${high}\`` : undefined,
        },
      );
      // It keeps its name, so that its uses are no mistakes of their own.
      return [{ name: field.name.text, high: 0, low: 0, access: field.access ?? access, declared: field.name.span, isWrong: true }];
    }
    return [{ name: field.name.text, high: Number(high), low: Number(low), access: field.access ?? access, declared: field.name.span }];
  });
  const seen = new Map<string, Span>();
  for (const field of fields) {
    const before = seen.get(field.name);
    if (before !== undefined) failTwice(context, field.declared, `field \`${field.name}\``, before, `in \`${declared.name.text}\``);
    seen.set(field.name, field.declared);
  }
  const byLow = fields.filter((field) => field.isWrong !== true).sort((a, b) => a.low - b.low);
  byLow.forEach((field, i) => {
    const next = byLow[i + 1];
    if (next !== undefined && next.low <= field.high) {
      fail(context, next.declared, "E0528", `fields \`${field.name}\` and \`${next.name}\` share bit ${next.low}`, {
        label: showBits(next),
        related: [{ span: field.declared, text: showBits(field) }],
      });
    }
  });
  return { name: declared.name.text, type, count, offset: Number(offset), access, reset, fields, declared: declared.name.span };
}

function showBits({ high, low }: RegisterField): string {
  return high === low ? `bit ${low}` : `bits ${high}..${low}`;
}

// ---- Values on demand ----

const BOOT_INFO = "boot_info";

function failCycle(context: Context, what: string, declared: Span, usedAt: Span | null): void {
  fail(context, declared, "E0508", `${what} depends on itself`, {
    label: "needs itself",
    related: usedAt === null ? [] : [{ span: usedAt, text: "needed again here" }],
  });
}

export function constantOf(context: Context, entry: ConstEntry, usedAt: Span | null = null): { readonly value: ConstValue | null; readonly type: Type } {
  if (entry.state === "working") {
    failCycle(context, `constant \`${entry.item.name.text}\``, entry.item.name.span, usedAt);
    return { value: null, type: ERROR };
  }
  if (entry.state === "waiting") {
    entry.state = "working";
    const inner: Context = { ...moduleContext(context, entry.module), reach: entry.reach };
    const expected = entry.item.type === null ? null : resolveSized(inner, entry.item.type);
    const constant = checkConstant(inner, entry.item.value, expected, "a constant");
    if (constant !== null) {
      entry.value = constant.value;
      entry.type = constant.type;
    } else if (expected !== null) {
      entry.type = expected;
    }
    entry.state = "done";
  }
  return { value: entry.value, type: entry.type };
}

export function globalOf(context: Context, entry: GlobalEntry, usedAt: Span | null = null): Global | null {
  if (entry.state === "done") return entry.global;
  if (entry.state === "working") {
    failCycle(context, `variable \`${entry.item.name.text}\``, entry.item.name.span, usedAt);
    return null;
  }
  entry.state = "working";
  const { libName } = entry.module;
  // The loader finds `boot_info` by its bare name.
  const prefix = libName === null || entry.item.name.text === BOOT_INFO ? "" : `${libName}.`;
  entry.global = createGlobal({ ...moduleContext(context, entry.module), reach: entry.reach }, entry.item, false, prefix);
  entry.state = "done";
  return entry.global;
}

/** A variable in guest memory from its declaration; null if it is wrong (reported). */
export function createGlobal(context: Context, item: GlobalEntry["item"], perTest: boolean, prefix: string): Global | null {
  const declared = item.type === null ? null : resolveSized(context, item.type);
  let type = declared;
  let initial: ConstValue | null = null;
  if (item.value !== null) {
    const checked = declared === null ? defaultType(context, checkExpr(context, item.value)) : null;
    const constant = checked === null ? checkConstant(context, item.value, declared, "the first value of a variable", "set it in `setup`") : null;
    initial = checked === null ? (constant?.value ?? null) : evaluate(checked, context.target.layout);
    type = declared ?? checked?.type ?? null;
    if (initial === null && checked !== null && checked.kind !== "error" && checked.type.kind !== "error") {
      fail(context, item.value.span, "E0507", "the first value of a variable must be known when compiling", {
        label: "depends on the running guest",
        help: "set it in `setup`",
      });
    }
  }
  // Without either the parser has complained.
  if (type === null || type.kind === "error") return null;
  return { name: `${prefix}${item.name.text}`, type, span: item.name.span, initial, shared: item.shared, perTest };
}

export function tableOf(context: Context, entry: TableEntry, usedAt: Span | null = null): HTable | null {
  if (entry.state === "done") return entry.table;
  if (entry.state === "working") {
    failCycle(context, `table \`${textOf(entry.span)}\``, entry.span, usedAt);
    return null;
  }
  entry.state = "working";
  entry.table = resolveTable({ ...moduleContext(context, entry.module), reach: entry.reach }, entry.item);
  entry.state = "done";
  return entry.table;
}

// ---- Bodies ----

export function createBody(name: string, span: Span, parent: FunctionBody | null, result: Type): FunctionBody {
  return { name, parent, params: [], result, block: { statements: [], hasCleanups: false }, span, keepsEnvironment: false };
}

export function createLocal(
  body: FunctionBody,
  name: string,
  type: Type,
  span: Span,
  options: { readonly mutable?: boolean; readonly shared?: boolean; readonly guessedFrom?: Guess | undefined } = {},
): Local {
  const { shared = false, guessedFrom } = options;
  const local: Local = { name, type, mutable: options.mutable ?? false, span, owner: body, inMemory: shared, shared, used: false };
  return guessedFrom === undefined ? local : { ...local, guessedFrom };
}

/** Checks the bodies of every function of a module. */
export function checkFunctions(context: Context, module: Module): void {
  for (const entry of functionsOf(module)) {
    // What a fake leaves out has been made.
    if (entry.function.body === null) checkFunction(context, entry, bodyOf(entry));
    else completeBody(entry.function.body);
  }
}

/** The same, each when somebody needs it: most of the library is not what a spec reaches, and what it reaches may be kept (`recall`). */
export function deferFunctions(context: Context, module: Module, recall: (entry: FnEntry) => boolean): void {
  // Lowering takes sizes as they are, also of what no body that was checked has named.
  for (const { type } of module.structs) completeType(moduleContext(context, module), type);
  for (const entry of functionsOf(module)) {
    if (entry.function.body !== null) continue;
    const body = bodyOf(entry);
    body.check = () => checkFunction(context, entry, body);
    entry.findReach = () => {
      if (!recall(entry)) completeBody(body);
    };
    entry.function.body = body;
  }
}

function bodyOf({ function: fn, item }: FnEntry): FunctionBody {
  const body = createBody(fn.name, item.name.span, null, fn.type.result);
  body.params = item.params.map((param, i) => createLocal(body, param.name.text, fn.type.params[i] ?? ERROR, param.name.span));
  return body;
}

function checkFunction(context: Context, entry: FnEntry, body: FunctionBody): void {
  const inner: Context = { ...moduleContext(context, entry.module), reach: entry.reach };
  if (entry.owner !== null) checkOverride(inner, entry.owner, entry);
  checkBody(inner, body, entry.item.body);
  entry.function.body = body;
  if (entry.owner !== null) logCalls(inner, entry.owner, entry);
}

/** Runs everything that is checked on demand, so that mistakes in what nobody uses are told too. */
export function checkUnusedDeclarations(context: Context, module: Module): void {
  for (const symbol of module.names.values()) {
    if (symbol.kind === "const") constantOf(context, symbol);
    if (symbol.kind === "global") globalOf(context, symbol);
    if (symbol.kind === "table") tableOf(context, symbol);
    if (symbol.kind === "type" && symbol.type.kind === "struct") {
      completeType(moduleContext(context, module), symbol.type);
      checkImplements(moduleContext(context, module), symbol.type);
    }
  }
}
