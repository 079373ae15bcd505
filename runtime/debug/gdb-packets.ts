// The packets of GDB's remote serial protocol: what comes in as bytes in any pieces becomes packets, acknowledgements and interrupts;
// what goes out gets its checksum. Nothing here knows what a packet says.
// Manual: Debugging with GDB, appendix E, "Overview" and "Packets".

export type GdbInput =
  | { readonly kind: "packet"; readonly text: string }
  /** A packet whose checksum is wrong. */
  | { readonly kind: "damaged" }
  /** Ctrl-C: the byte 3 between packets. */
  | { readonly kind: "interrupt" }
  /** The other side wants the last packet again. */
  | { readonly kind: "repeat" };

const INTERRUPT = "\u0003";
const ESCAPE = "}";
const ESCAPE_BIT = 0x20;
/** Far more than any packet that we say we take. */
const LONGEST = 0x10_0000;

function checksum(text: string): number {
  let sum = 0;
  for (let index = 0; index < text.length; index++) sum = (sum + text.charCodeAt(index)) & 0xff;
  return sum;
}

const hexByte = (value: number): string => value.toString(16).padStart(2, "0");

/** Binary data in a packet: what would end it is escaped. */
export function escapeBinary(text: string): string {
  return text.replace(/[#$}*]/g, (letter) => ESCAPE + String.fromCharCode(letter.charCodeAt(0) ^ ESCAPE_BIT));
}

export function unescapeBinary(text: string): string {
  return text.replace(/\}([^])/g, (_match, letter: string) => String.fromCharCode(letter.charCodeAt(0) ^ ESCAPE_BIT));
}

export function writePacket(text: string): string {
  return `$${text}#${hexByte(checksum(text))}`;
}

/** Of a packet, an interrupt, or a negative acknowledgement; -1: none has come. */
function findStart(text: string): number {
  for (let index = 0; index < text.length; index++) if (`$${INTERRUPT}-`.includes(text.charAt(index))) return index;
  return -1;
}

/** Takes what a connection brings, a byte a character, and gives what is complete. */
export function createPacketReader(): (received: string) => readonly GdbInput[] {
  let waiting = "";
  return (received) => {
    waiting += received;
    const inputs: GdbInput[] = [];
    for (;;) {
      const start = findStart(waiting);
      if (start < 0) {
        // Acknowledgements, and whatever else there is between packets.
        waiting = "";
        return inputs;
      }
      const first = waiting[start];
      if (first !== "$") {
        inputs.push({ kind: first === INTERRUPT ? "interrupt" : "repeat" });
        waiting = waiting.slice(start + 1);
        continue;
      }
      const end = waiting.indexOf("#", start);
      if (end < 0 || waiting.length < end + 3) {
        if (waiting.length - start > LONGEST) {
          inputs.push({ kind: "damaged" });
          waiting = "";
        } else waiting = waiting.slice(start);
        return inputs;
      }
      const text = waiting.slice(start + 1, end);
      const isWhole = Number.parseInt(waiting.slice(end + 1, end + 3), 16) === checksum(text);
      inputs.push(isWhole ? { kind: "packet", text } : { kind: "damaged" });
      waiting = waiting.slice(end + 3);
    }
  };
}
