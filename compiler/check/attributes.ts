// Attributes and needs: what stands around a test or suite in words. Every word is checked against its table, so that a slip is
// an error with the nearest name and never a test that quietly does not run.

import type { Attribute, Expr, Need } from "../../grammar/ast.ts";
import { textOf } from "../../grammar/source.ts";
import { CAPABILITIES, TAGS } from "../plan/capabilities.ts";
import { asInteger } from "./constants.ts";
import { fail, suggest, type Context } from "./context.ts";
import { checkConstant } from "./expressions.ts";

export interface Attributes {
  readonly tags: readonly string[];
  readonly covers: readonly string[];
  readonly timeout: number | null;
  /** The others by name: `slow`, `isolated`. */
  readonly flags: Readonly<Record<string, string>>;
}

const ATTRIBUTES: readonly string[] = ["slow", "isolated", "tags", "timeout", "covers"];

export function checkAttributes(context: Context, attributes: readonly Attribute[]): Attributes {
  const tags: string[] = [];
  const covers: string[] = [];
  const flags: Record<string, string> = {};
  let timeout: number | null = null;
  for (const attribute of attributes) {
    const name = attribute.name.text;
    switch (name) {
      case "tags":
        for (const arg of attribute.args) {
          const tag = arg.kind === "name" ? arg.name : textOf(arg.span);
          const known = [...TAGS, ...context.modules.projectTags()];
          if (!known.includes(tag)) {
            fail(context, arg.span, "E0403", `unknown tag \`${tag}\``, {
              help: suggest(tag, known) ?? "declare the project's own tags under `tags:` in guestspec.yaml",
            });
          }
          tags.push(tag);
        }
        break;
      case "covers":
        for (const arg of attribute.args) {
          if (arg.kind === "string") covers.push(arg.parts.map((part) => (part.kind === "text" ? part.text : "")).join(""));
          else fail(context, arg.span, "E0501", "`@covers` takes texts");
        }
        break;
      case "timeout": {
        const [arg] = attribute.args;
        const constant = arg === undefined ? null : checkConstant(context, arg, null);
        const value = constant === null ? null : asInteger(constant.value);
        if (arg === undefined || (constant !== null && (value === null || value <= 0n || constant.type.kind !== "comptime-int" || !constant.type.duration))) {
          fail(context, arg?.span ?? attribute.span, "E0709", "`@timeout` takes a time above zero", { help: "for example `@timeout(5ms)`" });
        } else if (value !== null) {
          timeout = Number(value);
        }
        break;
      }
      case "slow":
      case "isolated":
        if (attribute.args.length > 0) fail(context, attribute.span, "E0504", `\`@${name}\` takes no arguments`);
        flags[name] = "";
        break;
      default:
        fail(context, attribute.name.span, "E0408", `unknown attribute \`@${name}\``, { help: suggest(name, ATTRIBUTES) ?? `there are ${ATTRIBUTES.map((known) => `\`@${known}\``).join(", ")}` });
    }
  }
  return { tags, covers, timeout, flags };
}

export interface CheckedNeed {
  readonly name: string;
  readonly args: readonly string[];
  readonly span: Need["span"];
}

const hex4 = (value: bigint): string => `0x${value.toString(16).padStart(4, "0")}`;

export function checkNeeds(context: Context, needs: readonly Need[]): readonly CheckedNeed[] {
  return needs.flatMap((need): CheckedNeed[] => {
    const capability = CAPABILITIES.find((known) => known.name === need.name.text);
    if (capability === undefined) {
      fail(context, need.name.span, "E0402", `unknown capability \`${need.name.text}\``, { help: suggest(need.name.text, CAPABILITIES.map((known) => known.name)) });
      return [];
    }
    const required = capability.argument === "number" ? 1 : 0;
    const allowed = capability.argument === "none" ? 0 : 1;
    if (need.args.length < required || need.args.length > allowed) {
      fail(context, need.span, "E0601", `\`${need.name.text}\` takes ${allowed === 0 ? "no argument" : "one argument"}, found ${need.args.length}`);
      return [];
    }
    const args = need.args.map((arg) => needArgument(context, arg, capability.argument));
    return args.every((arg) => arg !== null) ? [{ name: need.name.text, args, span: need.span }] : [];
  });
}

function needArgument(context: Context, arg: Need["args"][number], wanted: string): string | null {
  if (arg.kind === "pci-id") {
    if (wanted === "pci-id") return `${hex4(arg.vendor)}:${hex4(arg.device)}`;
    fail(context, arg.span, "E0601", "a vendor:device id stands only in `pci(..)`");
    return null;
  }
  if (wanted === "number") {
    const constant = checkConstant(context, arg, null);
    const value = constant === null ? null : asInteger(constant.value);
    if (constant !== null && value === null) fail(context, arg.span, "E0601", "expected a number");
    return value === null ? null : String(value);
  }
  if (wanted === "optional-word" && isWord(arg)) return arg.name;
  fail(context, arg.span, "E0601", wanted === "pci-id" ? "expected a `0xVENDOR:0xDEVICE` id" : "expected a word");
  return null;
}

function isWord(expr: Expr): expr is Expr & { kind: "name" } {
  return expr.kind === "name";
}
