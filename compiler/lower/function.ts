// One body to one function: parameters into their places, the environment of closures kept where inner ones find it, the block,
// and the return that a body without result ends with.

import type { BytecodeFunction, ScalarType } from "../../isa/bytecode/module.ts";
import { completeBody, type FunctionBody } from "../hir.ts";
import { isAggregate, registersOf, sizeOf } from "../types.ts";
import { FunctionBuilder } from "./function-builder.ts";
import { copyMemory, storeTo } from "./guest-memory.ts";
import type { ModuleBuilder } from "./module-builder.ts";
import { declareLocal } from "./places.ts";
import { lowerBlock } from "./statements.ts";
import { lowerCallLog } from "./stubs.ts";

/**
 * Lowers a body. Closures take one parameter, the frame of the body around them. Aggregate parameters are addresses of the
 * caller's copy; an aggregate result goes to the address in the first parameter.
 */
export function lowerFunction(module: ModuleBuilder, body: FunctionBody): BytecodeFunction {
  completeBody(body);
  const returnsAggregate = isAggregate(body.result);
  const params: ScalarType[] = [];
  if (body.parent !== null) params.push("addr");
  if (returnsAggregate) params.push("addr");
  for (const param of body.params) params.push(...registersOf(param.type));
  const results = returnsAggregate ? [] : registersOf(body.result);
  const b = new FunctionBuilder(module, body.name, { params, results }, body, body.span);
  let next = 0;
  if (body.parent !== null) b.environment = next++;
  if (returnsAggregate) b.resultAddress = next++;
  const { layout } = module;
  if (body.keepsEnvironment && b.environment !== null) {
    const slot = b.frame(layout.addressBytes, layout.addressBytes);
    module.environmentSlots.set(body, slot);
    const environment = b.environment;
    b.statement(() => b.emit("store", { type: "addr", src: [b.frameAddress(slot), environment], imm: [0] }));
  }
  for (const param of body.params) {
    const registers = registersOf(param.type).map(() => next++);
    if (!param.inMemory) {
      if (isAggregate(param.type)) b.references.set(param, registers[0] ?? 0);
      else b.locals.set(param, registers);
      continue;
    }
    declareLocal(b, param);
    const offset = module.frameOffsets.get(param) ?? 0;
    b.statement(() => {
      if (isAggregate(param.type)) copyMemory(b, b.frameAddress(offset), registers[0] ?? 0, sizeOf(param.type, layout).size);
      else storeTo(b, param.type, b.frameAddress(offset), 0, registers);
    });
  }
  lowerCallLog(b, body);
  lowerBlock(b, body.block);
  b.span = body.span;
  // A body with a result has returned on every path (the checker saw to it); the bytecode still wants an end.
  if (results.length > 0) b.statement(() => b.emit("return", { src: results.map((type) => b.constant(type, 0n)) }));
  else b.emit("return");
  return b.finish();
}
