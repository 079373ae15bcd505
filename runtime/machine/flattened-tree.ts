// Device trees as data and their flattened form, in both directions (Devicetree Specification 0.4, chapters 2 and 5). What stands in a tree
// is device-tree.ts's part. Reading serves tests, which compare our trees with QEMU's, and whoever wants to look into one.

/**
 * A number is one cell, a bigint two, a string is text with its end, a list is the concatenation of its items, and `true` a property
 * that says all by being there.
 */
export type TreeValue = number | bigint | string | true | Uint8Array | readonly (number | bigint | string)[];

export interface TreeNode {
  /** With its unit address; empty for the root. */
  readonly name: string;
  readonly properties: Readonly<Record<string, TreeValue>>;
  readonly children: readonly TreeNode[];
}

const MAGIC = 0xd00d_feed;
const VERSION = 17;
const LAST_COMPATIBLE = 16;
const HEADER_SIZE = 40;
const RESERVATION_SIZE = 16;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROPERTY = 3;
const NOP = 4;
const END = 9;

const utf8 = new TextEncoder();

/** Big-endian bytes that grow. There is one buffer for all of a tree: one for each cell takes most of the time that a guest takes to start. */
function createWriter(capacity: number) {
  let bytes = new Uint8Array(capacity);
  let view = new DataView(bytes.buffer);
  let size = 0;

  /** Where so many bytes begin, which are 0. */
  function take(count: number): number {
    const at = size;
    size += count;
    if (size > bytes.length) {
      const grown = new Uint8Array(Math.max(2 * bytes.length, size));
      grown.set(bytes);
      bytes = grown;
      view = new DataView(bytes.buffer);
    }
    return at;
  }

  function raw(more: Uint8Array): void {
    const at = take(more.length);
    bytes.set(more, at);
  }

  function word(value: number): void {
    const at = take(4);
    view.setUint32(at, value);
  }

  function value(written: TreeValue): void {
    if (written === true) return;
    if (written instanceof Uint8Array) raw(written);
    else if (typeof written === "string") raw(utf8.encode(`${written}\0`));
    else if (typeof written === "number") word(written);
    else if (typeof written === "bigint") {
      const at = take(8);
      view.setBigUint64(at, written);
    } else written.forEach(value);
  }

  return {
    size: () => size,
    word,
    value,
    setWord: (at: number, written: number) => view.setUint32(at, written),
    alignToWord: () => void take(-size & 3),
    bytes: () => bytes.subarray(0, size),
  };
}

/** Bytes of a property, big-endian. */
export function encodeValue(value: TreeValue): Uint8Array {
  const writer = createWriter(64);
  writer.value(value);
  return writer.bytes();
}

/** The blob that a guest gets; `bootCpu` is the hardware number of the CPU that starts. */
export function flattenTree(root: TreeNode, bootCpu = 0): Uint8Array {
  const structure = createWriter(0x1000);
  const nameOffsets = new Map<string, number>();
  let strings = "";

  function nameOffset(name: string): number {
    let offset = nameOffsets.get(name);
    if (offset === undefined) {
      offset = strings.length;
      nameOffsets.set(name, offset);
      strings += `${name}\0`;
    }
    return offset;
  }

  function write(node: TreeNode): void {
    structure.word(BEGIN_NODE);
    structure.value(node.name);
    structure.alignToWord();
    for (const [name, value] of Object.entries(node.properties)) {
      structure.word(PROPERTY);
      const lengthAt = structure.size();
      structure.word(0);
      structure.word(nameOffset(name));
      const start = structure.size();
      structure.value(value);
      structure.setWord(lengthAt, structure.size() - start);
      structure.alignToWord();
    }
    node.children.forEach(write);
    structure.word(END_NODE);
  }

  write(root);
  structure.word(END);
  const names = utf8.encode(strings);
  const structureAt = HEADER_SIZE + RESERVATION_SIZE;
  const stringsAt = structureAt + structure.size();
  const blob = new Uint8Array(Math.ceil((stringsAt + names.length) / 8) * 8);
  const view = new DataView(blob.buffer);
  const header = [MAGIC, blob.length, structureAt, stringsAt, HEADER_SIZE, VERSION, LAST_COMPATIBLE, bootCpu, names.length, structure.size()];
  header.forEach((word, index) => view.setUint32(4 * index, word));
  blob.set(structure.bytes(), structureAt);
  blob.set(names, stringsAt);
  return blob;
}

/** All properties come back as bytes. Throws RangeError or Error for a blob that is none. */
export function unflattenTree(blob: Uint8Array): TreeNode {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  if (view.getUint32(0) !== MAGIC) throw new Error("no device tree: the magic number is missing");
  const strings = view.getUint32(12);
  const decoder = new TextDecoder();
  let at = view.getUint32(8);

  const textAt = (start: number): string => {
    const end = blob.indexOf(0, start);
    if (end < 0) throw new Error(`no device tree: a name at ${start} has no end`);
    return decoder.decode(blob.subarray(start, end));
  };
  const nextToken = (): number => {
    for (;;) {
      const token = view.getUint32(at);
      at += 4;
      if (token !== NOP) return token;
    }
  };
  const align = (): void => void (at = (at + 3) & ~3);

  function readNode(): TreeNode {
    const name = textAt(at);
    at += utf8.encode(name).length + 1;
    align();
    const properties: Record<string, TreeValue> = {};
    const children: TreeNode[] = [];
    for (;;) {
      const token = nextToken();
      if (token === END_NODE) return { name, properties, children };
      if (token === BEGIN_NODE) children.push(readNode());
      else if (token === PROPERTY) {
        const size = view.getUint32(at);
        properties[textAt(strings + view.getUint32(at + 4))] = blob.slice(at + 8, at + 8 + size);
        at += 8 + size;
        align();
      } else throw new Error(`no device tree: token ${token} at ${at - 4}`);
    }
  }

  const first = nextToken();
  if (first !== BEGIN_NODE) throw new Error(`no device tree: it begins with token ${first}`);
  return readNode();
}
