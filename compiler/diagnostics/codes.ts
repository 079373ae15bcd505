import { grammarCodes, type DiagnosticCode } from "../../grammar/codes.ts";
export const compilerCodes: readonly DiagnosticCode[] = [];
export function listCodes(): readonly DiagnosticCode[] { return [...grammarCodes, ...compilerCodes]; }
export function findCode(code: string): DiagnosticCode | undefined { return listCodes().find((c) => c.code === code) ?? { code, title: "", explanation: "" }; }
