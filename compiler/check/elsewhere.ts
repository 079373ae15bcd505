// Names that exist on other targets or machines only. A spec that serves several of them may use such a name in what is skipped here;
// what runs here must not. So a machine's constant makes a need, and a name of the library an error that waits for a test that
// runs to reach it.

import type { Span } from "../../grammar/source.ts";
import { fail, listNames, suggest, type Context } from "./context.ts";
import { suggestTarget } from "./foreign-names.ts";
import { addNeed, failAbsent } from "./reach.ts";

/**
 * The value that another machine has for the constant: it fits where it is used, as it does there. The code that uses it needs the
 * device, or that property of it. Null: no machine has it.
 */
export function constantElsewhere(context: Context, path: string, span: Span): bigint | null {
  const value = valueElsewhere(context, path);
  if (value === null) return null;
  const [device = ""] = path.split(".");
  const hasDevice = [...context.target.constants.keys()].some((name) => name.startsWith(`${device}.`));
  addNeed(context, { name: "device", args: [hasDevice ? path : device], span });
  return value;
}

function valueElsewhere(context: Context, path: string): bigint | null {
  for (const constants of context.target.constantsElsewhere()) {
    const value = constants.get(path);
    if (value !== undefined) return value;
  }
  return null;
}

/** Whether the library of another target has this module, which is then said. */
export function failModuleElsewhere(context: Context, module: string, span: Span): boolean {
  return failElsewhere(context, module, null, span);
}

/** The same for a name in a module that this target has. */
export function failNameElsewhere(context: Context, module: string, name: string, span: Span): boolean {
  return failElsewhere(context, module, name, span);
}

function failElsewhere(context: Context, module: string, name: string | null, span: Span): boolean {
  const owners = context.modules.elsewhere(module, name);
  if (owners.length === 0) return false;
  const full = name === null ? module : `${module}.${name}`;
  failAbsent(context, span, "E0602", `\`${full}\` does not exist on target \`${context.target.name}\``, {
    label: `only on ${listNames(owners)}`,
    help: `say which tests are for it, with \`on ${owners[0] ?? ""}\` or what they need, or put it into \`when target ${owners[0] ?? ""} { .. }\``,
  });
  return true;
}

/** Every name of a target must exist, whether or not it is the one compiled for. */
export function checkTargetName(context: Context, name: string, span: Span): void {
  if (context.modules.targets.includes(name)) return;
  fail(context, span, "E0410", `there is no target \`${name}\``, {
    label: "unknown target",
    help: suggestTarget(name) ?? suggest(name, context.modules.targets) ?? `the targets are ${listNames(context.modules.targets)}`,
  });
}
