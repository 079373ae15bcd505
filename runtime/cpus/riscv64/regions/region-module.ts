// A region's function as a WebAssembly module, and what it needs from outside: memory, the tables of regions, its own place there, the doors for
// instructions that TypeScript executes and for accesses to devices, and where the numbers of those begin on this machine. The code names
// nothing else of a machine but its memory's layout, so that machines with the same code share modules.

import { ByteWriter, EXTERNAL, FUNCREF, I32, I64, SECTION, writeHeader, writeSection } from "../../wasm/encoder.ts";
import { SELF } from "./emit-chain.ts";

export const REGION_IMPORTS = "riscv64";
const FUNCTION_TYPE = 0x60;

export function writeRegionModule(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const w = new ByteWriter(code.length + 0x100);
  writeHeader(w);
  writeSection(w, SECTION.type, (section) => {
    section.append(Uint8Array.of(3, FUNCTION_TYPE, 3, I32, I32, I64, 2, I64, I32, FUNCTION_TYPE, 1, I32, 1, I32, FUNCTION_TYPE, 3, I32, I32, I32, 1, I32));
  });
  writeSection(w, SECTION.import, (section) => {
    section.u32(7);
    importAs(section, "cold", EXTERNAL.function, 1);
    importAs(section, "device", EXTERNAL.function, 2);
    importAs(section, "memory", EXTERNAL.memory, 0, 1);
    importAs(section, "regions", EXTERNAL.table, FUNCREF, 0, 1);
    importAs(section, "chain", EXTERNAL.table, FUNCREF, 0, 1);
    importAs(section, "sites", EXTERNAL.global, I32, 0);
    importAs(section, "index", EXTERNAL.global, I32, 0);
  });
  writeSection(w, SECTION.function, (section) => section.append(Uint8Array.of(1, 0)));
  writeSection(w, SECTION.export, (section) => {
    section.u32(1);
    section.name("region");
    section.byte(EXTERNAL.function);
    section.u32(SELF);
  });
  writeSection(w, SECTION.code, (section) => {
    section.u32(1);
    const start = section.openSize();
    section.append(code);
    section.closeSize(start);
  });
  return w.view();
}

function importAs(section: ByteWriter, name: string, kind: number, ...type: readonly number[]): void {
  section.name(REGION_IMPORTS);
  section.name(name);
  section.byte(kind);
  section.append(Uint8Array.from(type));
}
