// The directives that all assemblers know: data, alignment, space, constants. Those of one instruction set are in its rules. A directive is
// sized in the first pass and written in the second, as an instruction is (output.ts).

import { putAddress, readConstant, readWhole, resolverAt, unknownName } from "./output.ts";
import type { AssemblyRules, Scope, SizedStatement } from "./output.ts";
import { AssemblyError, splitOperands } from "./text.ts";
import type { Token } from "./text.ts";

const DATA_WIDTHS: Readonly<Record<string, 1 | 2 | 4 | 8>> = {
  ".byte": 1,
  ".2byte": 2,
  ".4byte": 4,
  ".8byte": 8,
  ".quad": 8,
};

const OTHER_DIRECTIVES = [".align", ".p2align", ".balign", ".zero", ".skip", ".equ", ".set"];

/** Anything larger in an asm block is a slip of the keyboard. */
const MAX_FILL = 1n << 20n;

export function sizeDirective<Kind extends string>(
  rules: AssemblyRules<Kind>,
  head: Token,
  rest: readonly Token[],
  offset: number,
  scope: Scope,
): SizedStatement<Kind> | undefined {
  const operands = splitOperands(rest);
  const width = DATA_WIDTHS[head.text] ?? rules.dataWidths[head.text];
  if (width !== undefined) return sizeData(rules, head, operands, width);
  const own = rules.directives[head.text];
  if (own !== undefined) return own(head, rest, offset, scope);
  const [first = []] = operands;
  switch (head.text) {
    case ".align":
    case ".p2align":
    case ".balign": {
      const given = readConstant(first, head, scope);
      const isBytes = head.text === ".balign" || (head.text === ".align" && rules.alignTakes === "bytes");
      const bytes = isBytes ? given : given >= 0n && given <= 20n ? 1n << given : -1n;
      if (bytes < 1n || bytes > MAX_FILL || (bytes & (bytes - 1n)) !== 0n) {
        throw new AssemblyError(first[0] ?? head, `cannot align to ${given}`, "`.balign` takes a power of two, `.p2align` its exponent");
      }
      const length = -offset & (Number(bytes) - 1);
      return { length, write: (output, at) => rules.pad(output, at, length) };
    }
    case ".zero":
    case ".skip": {
      const length = readConstant(first, head, scope);
      if (length < 0n || length > MAX_FILL) throw new AssemblyError(first[0] ?? head, `length is ${length}, can be 0..${MAX_FILL}`);
      return { length: Number(length), write: () => undefined };
    }
    case ".equ":
    case ".set": {
      const [name] = first;
      if (name?.kind !== "name" || first.length !== 1 || operands.length !== 2) {
        throw new AssemblyError(name ?? head, `\`${head.text}\` takes a name and a value`);
      }
      if (rules.isRegister(name.text)) throw new AssemblyError(name, `\`${name.text}\` is a register`);
      if (scope.constants.has(name.text) || scope.labels.has(name.text)) {
        throw new AssemblyError(name, `\`${name.text}\` is defined already`);
      }
      scope.constants.set(name.text, readConstant(operands[1] ?? [], head, scope));
      return undefined;
    }
    default:
      throw unknownName(head, "directive", [DATA_WIDTHS, rules.dataWidths, rules.directives].flatMap(Object.keys).concat(OTHER_DIRECTIVES));
  }
}

function sizeData<Kind extends string>(
  rules: AssemblyRules<Kind>,
  head: Token,
  operands: readonly (readonly Token[])[],
  width: 1 | 2 | 4 | 8,
): SizedStatement<Kind> {
  if (operands.length === 0) throw new AssemblyError(head, `\`${head.text}\` takes at least one value`);
  return {
    length: width * operands.length,
    write: (output, offset) => {
      for (const [index, tokens] of operands.entries()) {
        const place = offset + width * index;
        const at = tokens[0] ?? head;
        const value = readWhole(tokens, head, resolverAt(place, output.scope));
        if (value.base !== undefined) {
          if (width === 1 || width === 2) throw new AssemblyError(at, `an address does not fit \`${head.text}\``);
          putAddress(output, rules.dataRelocations[width], place, value, at);
          continue;
        }
        const bits = BigInt(8 * width);
        if (value.constant < -(1n << (bits - 1n)) || value.constant >= 1n << bits) {
          throw new AssemblyError(at, `value is ${value.constant}, which does not fit ${bits} bits`);
        }
        const low = BigInt.asUintN(64, value.constant);
        for (let byte = 0; byte < width; byte++) output.bytes[place + byte] = Number((low >> BigInt(8 * byte)) & 0xffn);
      }
    },
  };
}
