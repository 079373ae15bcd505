// What must still be done when the process is about to end by a bug: whoever holds results leaves word here how to save them. Apart from
// main.ts and from the commands because it is where the two meet without knowing each other.

export type Saving = () => void | Promise<void>;

const words = new Set<Saving>();

/** Gives what takes it back. */
export function leaveWord(saving: Saving): () => void {
  words.add(saving);
  return () => void words.delete(saving);
}

/** Each once: a saving that fails by the same bug is not tried again. Never rejects. */
export async function saveAll(): Promise<void> {
  const all = [...words];
  words.clear();
  await Promise.allSettled(all.map(async (saving) => saving()));
}
