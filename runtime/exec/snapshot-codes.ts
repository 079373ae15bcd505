// What can be wrong with a snapshot file: codes as those of diagnostics of specs, E09xx, with what `guestspec explain CODE` prints. The
// examples are command lines; tests/exec/snapshot.isolated.test.ts provokes each of them.

export interface SnapshotCodeRow {
  readonly code: string;
  readonly title: string;
  /** Markdown, as in the compiler's table. */
  readonly explanation: string;
}

function row<Code extends string>(code: Code, title: string, text: string, wrong: string, right: string): SnapshotCodeRow & { readonly code: Code } {
  return { code, title, explanation: `${text}\n\nWrong:\n\n\`\`\`sh\n${wrong}\n\`\`\`\n\nRight:\n\n\`\`\`sh\n${right}\n\`\`\`\n` };
}

export const SNAPSHOT_CODES = [
  row(
    "E0901",
    "not a snapshot",
    "`--restore` takes a file that `guestspec exec --snapshot` has written. Such a file begins with eight bytes of its own, by which it is told from images, memory dumps and snapshots of other tools.",
    "guestspec exec --restore fw_jump.elf",
    "guestspec exec fw_jump.elf --until 1,000,000 --snapshot boot.snap\nguestspec exec --restore boot.snap",
  ),
  row(
    "E0902",
    "snapshot of another version",
    "A snapshot holds the state of every CPU and device as the version of guestspec that wrote it keeps it. Another version may keep more, or count time in another way, so that the future would be another one: it is not read. A run is deterministic, so the same command with the new version writes the snapshot anew.",
    "guestspec exec --restore from-last-year.snap",
    "guestspec exec fw_jump.elf --until 1,000,000 --snapshot boot.snap\nguestspec exec --restore boot.snap",
  ),
  row(
    "E0903",
    "damaged snapshot",
    "A snapshot says how long it is and carries the SHA-256 digest of what it holds. One that was cut off, that was changed on its way (a transfer as text, say), or that something was added to, is not read, and no part of it.",
    "head -c 10000 boot.snap > cut.snap\nguestspec exec --restore cut.snap",
    "cp boot.snap copy.snap\nguestspec exec --restore copy.snap",
  ),
  row(
    "E0904",
    "snapshot of another machine",
    "A snapshot goes on only on the machine that it was taken of: the same devices at the same places, with the same wires and as much RAM. It carries a digest of the machine's description. `--machine` says where the description is if it is not where it was; its name may be another, what is in it may not.",
    "guestspec exec kernel --until 1,000 --snapshot boot.snap\nguestspec exec --restore boot.snap --machine riscv-virt-sbi",
    "guestspec exec kernel --until 1,000 --snapshot boot.snap\nguestspec exec --restore boot.snap",
  ),
  row(
    "E0905",
    "state does not fit the machine",
    "The file is whole and of this version, but a device or CPU of it has other state than the one of this machine: it was written by a guestspec between two versions, or with device models of its own. Write the snapshot anew.",
    "guestspec exec --restore from-another-branch.snap",
    "guestspec exec fw_jump.elf --until 1,000,000 --snapshot boot.snap\nguestspec exec --restore boot.snap",
  ),
] as const;

export type SnapshotCode = (typeof SNAPSHOT_CODES)[number]["code"];

/** One sentence: what was expected and what was found. */
export interface SnapshotProblem {
  readonly code: SnapshotCode;
  readonly message: string;
  readonly help: string | null;
}
