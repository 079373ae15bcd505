// The assembler's directives: data, alignment, space, constants.

import { AssemblyError } from "./assembly-text.ts";
import type { Token } from "./assembly-text.ts";
import { isRegister, putAddress, putWord, readConstant, readWhole, resolverAt, unknownName } from "./assembly-output.ts";
import type { Scope, SizedStatement } from "./assembly-output.ts";
import { encode } from "./encode.ts";

const DATA_WIDTHS: Readonly<Record<string, 1 | 2 | 4 | 8>> = {
  ".byte": 1,
  ".half": 2,
  ".2byte": 2,
  ".word": 4,
  ".4byte": 4,
  ".dword": 8,
  ".8byte": 8,
  ".quad": 8,
};

const DIRECTIVES = [...Object.keys(DATA_WIDTHS), ".align", ".p2align", ".balign", ".zero", ".skip", ".equ", ".set", ".option"];

/** Anything larger in an asm block is a slip of the keyboard. */
const MAX_FILL = 1n << 20n;

export function sizeDirective(head: Token, operands: readonly (readonly Token[])[], offset: number, scope: Scope): SizedStatement | undefined {
  const width = DATA_WIDTHS[head.text];
  if (width !== undefined) return sizeData(head, operands, width);
  const [first = []] = operands;
  switch (head.text) {
    case ".align":
    case ".p2align":
    case ".balign": {
      const given = readConstant(first, head, scope);
      const bytes = head.text === ".balign" ? given : given >= 0n && given <= 20n ? 1n << given : -1n;
      if (bytes < 1n || bytes > MAX_FILL || (bytes & (bytes - 1n)) !== 0n) {
        throw new AssemblyError(first[0] ?? head, `cannot align to ${given}`, "`.balign` takes a power of two, `.align` its exponent");
      }
      return { length: -offset & (Number(bytes) - 1), write: writePadding(-offset & (Number(bytes) - 1)) };
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
      if (isRegister(name.text)) throw new AssemblyError(name, `\`${name.text}\` is a register`);
      if (scope.constants.has(name.text) || scope.labels.has(name.text)) {
        throw new AssemblyError(name, `\`${name.text}\` is defined already`);
      }
      scope.constants.set(name.text, readConstant(operands[1] ?? [], head, scope));
      return undefined;
    }
    case ".option": {
      const [what] = first;
      if (what !== undefined && /^(norvc|norelax|nopic|push|pop)$/.test(what.text)) return undefined;
      throw new AssemblyError(what ?? head, `\`.option ${what?.text ?? ""}\` is not supported`, "compressed instructions are written by their `c.` names");
    }
    default:
      throw unknownName(head, "directive", DIRECTIVES);
  }
}

function sizeData(head: Token, operands: readonly (readonly Token[])[], width: 1 | 2 | 4 | 8): SizedStatement {
  if (operands.length === 0) throw new AssemblyError(head, `\`${head.text}\` takes at least one value`);
  return {
    length: width * operands.length,
    write: (output, offset) => {
      for (const [index, tokens] of operands.entries()) {
        const place = offset + width * index;
        const at = tokens[0] ?? head;
        const value = readWhole(tokens, head, resolverAt(place, output.scope));
        if (value.base !== undefined) {
          if (width < 4) throw new AssemblyError(at, `an address does not fit \`${head.text}\``);
          putAddress(output, width === 8 ? "absolute64" : "absolute32", place, value, at);
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

/** What is skipped may be executed: nop and c.nop, after bytes up to an even address. */
function writePadding(length: number): SizedStatement["write"] {
  return (output, offset) => {
    let at = offset + (length & 1);
    if (((offset + length - at) & 2) !== 0) {
      putWord(output, at, 2, encode("c.nop", {}));
      at += 2;
    }
    for (; at < offset + length; at += 4) putWord(output, at, 4, encode("addi", { rd: 0, rs1: 0, imm: 0 }));
  };
}
