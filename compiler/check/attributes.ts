// Attributes and needs: what stands around a test or suite in words. Every word is checked against its table, so that a slip is
// an error with the nearest name and never a test that quietly does not run.

import { literalText, type Attribute, type Expr, type Need } from "../../grammar/ast.ts";
import { foreignAttributes } from "../../grammar/foreign-words.ts";
import { textOf } from "../../grammar/source.ts";
import type { Attributes, CheckedNeed } from "../hir.ts";
import { ARGUMENTS, CAPABILITIES, TAGS, type Capability } from "../plan/capabilities.ts";
import { asInteger } from "./constants.ts";
import { fail, listNames, suggest, type Context } from "./context.ts";
import { checkConstant } from "./values.ts";

export const ATTRIBUTES: readonly string[] = [
  "slow",
  "very_slow",
  "isolated",
  "no_leaks",
  "no_warnings",
  "module",
  "tags",
  "timeout",
  "covers",
  "exits",
  "deviates",
];

/** These are said of a test, for all its rows. */
const TEST_ATTRIBUTES: readonly string[] = ["exits", "deviates", "no_leaks", "no_warnings", "module"];
const ROW_ATTRIBUTES: readonly string[] = ATTRIBUTES.filter((name) => !TEST_ATTRIBUTES.includes(name));

export function checkAttributes(context: Context, attributes: readonly Attribute[], place: "test" | "row" = "test"): Attributes {
  const tags: string[] = [];
  const covers: string[] = [];
  const flags: Record<string, string> = {};
  let timeout: number | null = null;
  for (const attribute of attributes) {
    const name = attribute.name.text;
    switch (name) {
      case "tags":
        if (attribute.args.length === 0)
          fail(context, attribute.span, "E0504", "`@tags` takes at least 1 argument, found 0", { help: "for example `@tags(pci, mmio)`" });
        for (const arg of attribute.args) {
          const tag = arg.kind === "name" ? arg.name : textOf(arg.span);
          const known = [...TAGS, ...context.modules.projectTags()];
          if (!known.includes(tag)) {
            fail(context, arg.span, "E0403", `unknown tag \`${tag}\``, {
              label: "not declared",
              help: suggest(tag, known) ?? "declare the project's own tags under `tags:` in guestspec.yaml",
            });
          }
          tags.push(tag);
        }
        break;
      case "covers":
        if (attribute.args.length === 0)
          fail(context, attribute.span, "E0504", "`@covers` takes at least 1 argument, found 0", { help: 'for example `@covers("PCI 3.0, 6.2.1")`' });
        for (const arg of attribute.args) {
          if (arg.kind === "string") covers.push(literalText(arg));
          else fail(context, arg.span, "E0501", "`@covers` takes texts", { label: "not a text", help: 'for example `@covers("PCI 3.0, 6.2.1")`' });
        }
        break;
      case "timeout": {
        const [arg] = attribute.args;
        const constant = arg === undefined ? null : checkConstant(context, arg, null);
        const value = constant === null ? null : asInteger(constant.value);
        if (arg === undefined || (constant !== null && (value === null || value <= 0n || constant.type.kind !== "comptime-int" || !constant.type.duration))) {
          fail(
            context,
            arg?.span ?? attribute.span,
            "E0709",
            `\`@timeout\` takes a time above zero, found ${arg === undefined ? "nothing" : `\`${textOf(arg.span)}\``}`,
            { label: "not a duration", help: "for example `@timeout(5ms)`" },
          );
        } else if (attribute.args.length > 1) {
          fail(context, attribute.span, "E0504", `\`@timeout\` takes 1 argument, found ${attribute.args.length}`);
        } else if (value !== null) {
          timeout = Number(value);
        }
        break;
      }
      case "exits": {
        if (refusesRow(context, attribute, place)) break;
        const exit = exitArgument(context, attribute);
        if (exit !== null) flags[name] = exit;
        break;
      }
      case "deviates": {
        if (refusesRow(context, attribute, place)) break;
        const deviation = deviationArguments(context, attribute);
        if (deviation !== null) flags[name] = [...(flags[name] === undefined ? [] : [flags[name]]), deviation].join("\n");
        break;
      }
      case "no_leaks":
      case "no_warnings":
        if (!refusesRow(context, attribute, place) && takesNothing(context, attribute)) flags[name] = "";
        break;
      case "module":
        if (!refusesRow(context, attribute, place)) flags[name] = oneText(context, attribute) ?? "";
        break;
      case "slow":
      case "very_slow":
      case "isolated":
        takesNothing(context, attribute);
        flags[name] = "";
        tags.push(name);
        break;
      default: {
        const own = context.modules.projectAttributes();
        if (own.includes(name)) {
          if (!refusesRow(context, attribute, place)) flags[name] = attribute.args.length === 0 ? "" : (oneText(context, attribute) ?? "");
          break;
        }
        const known = [...(place === "row" ? ROW_ATTRIBUTES : ATTRIBUTES), ...(place === "row" ? [] : own)].map((each) => `@${each}`);
        fail(context, attribute.name.span, "E0408", `unknown attribute \`@${name}\``, {
          label: "not an attribute",
          help: foreignAttributes.get(name)?.help ?? suggest(`@${name}`, known) ?? `there are ${listNames(known)}`,
        });
      }
    }
  }
  return { tags, covers, timeout, flags };
}

/** Whether it stands before a row, where it says nothing; that is reported. */
function refusesRow(context: Context, attribute: Attribute, place: "test" | "row"): boolean {
  if (place === "test") return false;
  fail(context, attribute.span, "E0408", `\`@${attribute.name.text}\` has no meaning before a row`, { label: "not a test", help: "put it before the test" });
  return true;
}

function takesNothing(context: Context, { args, name, span }: Attribute): boolean {
  if (args.length === 0) return true;
  fail(context, span, "E0504", `\`@${name.text}\` takes no arguments, found ${args.length}`, { help: `write \`@${name.text}\`` });
  return false;
}

/** `@module("eeprom")`: a text on one line, or a word. */
function oneText(context: Context, { args, name, span }: Attribute): string | null {
  const [arg] = args;
  if (arg === undefined || args.length > 1) {
    fail(context, span, "E0504", `\`@${name.text}\` takes 1 argument, found ${args.length}`, { help: `for example \`@${name.text}("text")\`` });
    return null;
  }
  if (arg.kind === "name") return arg.name;
  if (arg.kind === "string") return literalText(arg).replaceAll("\n", " ");
  fail(context, arg.span, "E0501", `\`@${name.text}\` takes a text`, { label: "not a text", help: `for example \`@${name.text}("text")\`` });
  return null;
}

/** `@exits(3)`, `@exits(reset)`: how the test ends the machine, as the manifest says it. */
function exitArgument(context: Context, attribute: Attribute): string | null {
  const [arg] = attribute.args;
  if (arg === undefined || attribute.args.length > 1) {
    fail(context, attribute.span, "E0504", `\`@exits\` takes 1 argument, found ${attribute.args.length}`, {
      help: "the code with which the test ends the machine, or `reset`: `@exits(0)`",
    });
    return null;
  }
  if (arg.kind === "name" && arg.name === "reset") return "reset";
  const constant = checkConstant(context, arg, null);
  const code = constant === null ? null : asInteger(constant.value);
  if (constant !== null && (code === null || code < 0n)) {
    fail(context, arg.span, "E0501", "`@exits` takes an exit code or `reset`", { label: "not a code" });
    return null;
  }
  return code === null ? null : String(code);
}

const DEVIATION = '`@deviates("qemu", "7.2..8.0", "what it does instead")`';
/** Engines that have versions of their own. */
const DEVIATING_ENGINES: readonly string[] = ["qemu"];

/** An engine, the versions of it, and the reason, as the manifest says it: `qemu 7.2..8.0 reason`. */
function deviationArguments(context: Context, attribute: Attribute): string | null {
  const texts = attribute.args.map((arg) => (arg.kind === "string" ? literalText(arg) : null));
  const [engine, versions, reason] = texts;
  if (texts.length !== 3) {
    fail(context, attribute.span, "E0504", `\`@deviates\` takes 3 arguments, found ${texts.length}`, { help: `for example ${DEVIATION}` });
    return null;
  }
  const wrong = attribute.args.find((_, index) => {
    if (index === 0) return engine === null || engine === undefined || !DEVIATING_ENGINES.includes(engine);
    if (index === 1) return versions === null || versions === undefined || !/^\d+(\.\d+)*(\.\.(\d+(\.\d+)*)?)?$/.test(versions);
    return reason === null || reason === undefined || reason.trim() === "";
  });
  if (wrong === undefined) return `${engine} ${versions} ${reason?.replaceAll("\n", " ")}`;
  fail(context, wrong.span, "E0501", "`@deviates` takes an engine, its versions and a reason, as texts", {
    label: "not one of them",
    help: `for example ${DEVIATION}`,
  });
  return null;
}

const hex4 = (value: bigint): string => `0x${value.toString(16).padStart(4, "0")}`;

export function checkNeeds(context: Context, needs: readonly Need[]): readonly CheckedNeed[] {
  return needs.flatMap((need): CheckedNeed[] => {
    const capability = CAPABILITIES.find((known) => known.name === need.name.text);
    if (capability === undefined) {
      const names = CAPABILITIES.map((known) => known.name);
      fail(context, need.name.span, "E0402", `unknown capability \`${need.name.text}\``, {
        label: "no machine offers this",
        help: suggest(need.name.text, names) ?? `the capabilities are ${listNames(names)}`,
      });
      return [];
    }
    const required = capability.argument === "number" || capability.argument === "device" ? 1 : 0;
    const allowed = capability.argument === "none" ? 0 : 1;
    if (need.args.length < required || need.args.length > allowed) {
      const { example } = ARGUMENTS[capability.argument];
      fail(context, need.span, "E0601", `\`${need.name.text}\` takes ${allowed === 0 ? "no argument" : "one argument"}, found ${need.args.length}`, {
        help: allowed === 0 ? `write \`${need.name.text}\`` : `for example \`${need.name.text}(${example})\``,
      });
      return [];
    }
    const args = need.args.map((arg) => needArgument(context, arg, capability));
    return args.every((arg) => arg !== null) ? [{ name: need.name.text, args, span: need.span }] : [];
  });
}

function needArgument(context: Context, arg: Need["args"][number], capability: Capability): string | null {
  const kind = capability.argument;
  const { wanted, example } = ARGUMENTS[kind];
  const failArgument = (): null => {
    fail(context, arg.span, "E0601", `\`${capability.name}\` takes ${wanted}, found \`${textOf(arg.span)}\``, {
      label: `not ${wanted}`,
      help: `for example \`${capability.name}(${example})\``,
    });
    return null;
  };
  if (arg.kind === "pci-id") return kind === "pci-id" ? `${hex4(arg.vendor)}:${hex4(arg.device)}` : failArgument();
  if (kind === "number") {
    const constant = checkConstant(context, arg, null);
    if (constant === null) return null;
    const value = constant.type.kind === "int" || constant.type.kind === "comptime-int" ? asInteger(constant.value) : null;
    return value === null || value < 0n ? failArgument() : String(value);
  }
  if (kind === "device") return deviceNamed(context, textOf(arg.span)) ?? failArgument();
  return (kind === "word" || kind === "optional-word") && isWord(arg) ? arg.name : failArgument();
}

/** The name of a device, or of a constant of it, that this or another machine of the package has. */
function deviceNamed(context: Context, name: string): string | null {
  const { constants, constantsElsewhere } = context.target;
  const isNamedIn = (known: ReadonlyMap<string, bigint>): boolean => [...known.keys()].some((key) => key === name || key.startsWith(`${name}.`));
  if (isNamedIn(constants)) return name;
  for (const others of constantsElsewhere()) if (isNamedIn(others)) return name;
  return null;
}

function isWord(expr: Expr): expr is Expr & { kind: "name" } {
  return expr.kind === "name";
}
