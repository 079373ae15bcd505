// The text form of guest bytecode, both ways: docs/bytecode.md, section 7. parseText(printText(m)) equals m.

export { parseText, type ParseOptions } from "./text-parse.ts";
export { printAssembly, printFunction, printInstruction, printSignature, printText } from "./text-print.ts";
export { TextFormatError } from "./text-tokens.ts";
