// Plain data as text, for states that leave the process: JSON, with an object of one `$` key for each kind of value that JSON has no word
// for. One value has one text, so that texts can be compared and hashed. What is no plain data is refused when it is written, and not
// found missing when it is read.

/** What states of devices, CPUs and machines are made of. */
export type PlainData = null | boolean | number | bigint | string | Uint8Array | Uint32Array | readonly PlainData[] | { readonly [key: string]: PlainData };

const BIGINT = "$n";
const BYTES = "$b";
const WORDS = "$w";
/** -0, infinities and NaN. */
const NUMBER = "$f";

const NUMBERS: Readonly<Record<string, number>> = { "-0": -0, Infinity: Infinity, "-Infinity": -Infinity, NaN: NaN };

function encode(value: unknown, path: string): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "bigint":
      return { [BIGINT]: String(value) };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { [NUMBER]: Object.is(value, -0) ? "-0" : String(value) };
    case "object":
      break;
    case "undefined":
    case "function":
    case "symbol":
      throw new TypeError(`${path} is ${typeof value}, which is no plain data`);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64") };
  if (value instanceof Uint32Array) return { [WORDS]: [...value] };
  if (Array.isArray(value)) return value.map((entry, index) => encode(entry, `${path}[${index}]`));
  if (Object.getPrototypeOf(value) !== Object.prototype) throw new TypeError(`${path} is an object of a class, which is no plain data`);
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (key.startsWith("$")) throw new TypeError(`${path} has a key ${key}, and \`$\` has a meaning`);
      return [key, encode(entry, `${path}.${key}`)];
    }),
  );
}

/** Throws TypeError for what is no plain data: a mistake of the model whose state it is. */
export function encodePlainData(value: unknown): string {
  return JSON.stringify(encode(value, "state"));
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (BIGINT in value) return BigInt(String(value[BIGINT]));
  if (BYTES in value) return new Uint8Array(Buffer.from(String(value[BYTES]), "base64"));
  if (WORDS in value && Array.isArray(value[WORDS])) return Uint32Array.from(value[WORDS] as number[]);
  if (NUMBER in value) return NUMBERS[String(value[NUMBER])];
  return value;
}

/** What `encodePlainData` wrote. Throws SyntaxError for anything else. */
export function decodePlainData(text: string): PlainData {
  return JSON.parse(text, revive) as PlainData;
}
