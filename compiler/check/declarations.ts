// Declarations of a module: first all names, then the signatures, enums, register blocks and interfaces that bodies refer to, then the
// bodies of its functions. What else a name means is worked out when it is asked for (on-demand.ts).

import type { EnumItem, FnItem } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/source.ts";
import { completeBody, createBody, createLocal, type FunctionBody, type HFunction } from "../hir.ts";
import { ERROR, integerRange, U32, VOID, type EnumType, type InterfaceType, type RegsType, type StructType } from "../types.ts";
import { checkBody } from "./blocks.ts";
import { fail, failTwice, moduleContext, type Context } from "./context.ts";
import { quote, showBig } from "./convert.ts";
import { checkTargetName } from "./elsewhere.ts";
import { logCalls } from "./fakes.ts";
import { checkImplements, checkOverride, resolveInterface } from "./interfaces.ts";
import { constantOf, globalOf, resolveSignature } from "./on-demand.ts";
import { createReach } from "./reach.ts";
import { resolveRegs } from "./register-blocks.ts";
import { completeType, resolveType } from "./resolve-types.ts";
import { functionsOf, spanOfSymbol, type FnEntry, type Module, type Symbol } from "./scope.ts";
import { registerStruct } from "./structs.ts";
import { tableOf } from "./tables.ts";
import { checkInteger } from "./values.ts";

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

// ---- Bodies ----

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
