// One self-running script around an image: it needs bash, coreutils, gzip and QEMU, and nothing of ours. Its exit status is the
// verdict, which it takes from QEMU's status and the KTAP together: QEMU's own failure to start has a status that on some machines
// would be a pass. Whatever ends it, no QEMU and no temporary file is left behind. Its text is checked by shellcheck in tests/images.

import { gzipSync } from "node:zlib";
import type { ExitDescription } from "../../machines/description.ts";

export interface StandaloneOptions {
  /** The spec file, for people. */
  readonly name: string;
  readonly suite: string;
  readonly tests: number;
  readonly machine: string;
  readonly image: Uint8Array;
  /** `x86_64`, for `qemu-system-x86_64` and QEMU_x86_64. */
  readonly qemu: string;
  /** What to install where there is none (Debian). */
  readonly packageName: string;
  /** Arguments for each accelerator, with IMAGE_PLACE for the image's path; the first is the default. */
  readonly accelerators: readonly { readonly name: string; readonly args: readonly string[] }[];
  readonly exit: ExitDescription;
}

/** Where the script puts the path of the unpacked image. */
export const IMAGE_PLACE = "IMAGE";

const STANDALONE_STATUS = { pass: 0, fail: 1, noVerdict: 2, environment: 75, timedOut: 124 } as const;

const DEFAULT_TIMEOUT_SECONDS = 300;

function quote(word: string): string {
  if (word === IMAGE_PLACE) return '"$work/image"';
  return /^[\w@%+=:./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** An option and its value on one line, as people write them. */
function argumentLines(args: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const word of args) {
    if (word.startsWith("-") || lines.length === 0) lines.push(`      ${quote(word)}`);
    else lines[lines.length - 1] += ` ${quote(word)}`;
  }
  return lines;
}

function base64Lines(bytes: Uint8Array): readonly string[] {
  return (
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,120}/g) ?? []
  );
}

/** One line of a comment or a message, whatever a suite is called. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

export function writeStandalone(options: StandaloneOptions): string {
  const { name, suite, tests, machine, qemu, packageName, accelerators, exit } = options;
  const variable = `QEMU_${qemu}`;
  const program = `qemu-system-${qemu}`;
  const names = accelerators.map((accelerator) => accelerator.name);
  // Quotes would end the text that it stands in.
  const title = plain(`${suite} (${name})`).replaceAll(/["'`$\\]/g, "?");
  const text = `#!/usr/bin/env bash
# ${title}: ${tests} ${tests === 1 ? "test" : "tests"} for ${machine}, made by guestspec.
# Runs the image below in QEMU and prints KTAP. --help tells the rest.

# \`sh script\` is often another shell, which reads only as far as this.
[ -n "\${BASH_VERSION:-}" ] || exec bash "$0" "$@"

set -u

readonly program=${program}
readonly package=${packageName}

usage() {
  cat << USAGE
Usage: \${0##*/} [OPTIONS] [-- ARGUMENTS OF QEMU...]

Runs ${title} on ${machine} and prints KTAP.

  -h, --help        show this help
  -v, --verbose     print QEMU's command line
  --qemu BINARY     QEMU to use (default: \\$${variable}, or $program)
  --accel NAME      ${names.join(", ")} (default ${names[0]})
  --append WORDS    words for the guest: case=N runs one test, seed=N sets the seed
  --timeout SECONDS (default ${DEFAULT_TIMEOUT_SECONDS})

Exit status: ${STANDALONE_STATUS.pass} passed, ${STANDALONE_STATUS.fail} failed, ${STANDALONE_STATUS.noVerdict} no verdict or wrong usage, ${STANDALONE_STATUS.environment} something is missing here, ${STANDALONE_STATUS.timedOut} timed out
USAGE
}

# fail STATUS MESSAGE...
fail() {
  local status=$1
  shift
  printf '%s: %s\\n' "\${0##*/}" "$*" >&2
  exit "$status"
}

qemu=\${${variable}:-$program}
accel=${names[0]}
append=
timeout=${DEFAULT_TIMEOUT_SECONDS}
verbose=
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    -v | --verbose) verbose=1 ;;
    --qemu | --accel | --append | --timeout)
      [ $# -gt 1 ] || fail ${STANDALONE_STATUS.noVerdict} "$1 needs a value"
      declare "\${1#--}=$2"
      shift
      ;;
    --)
      shift
      break
      ;;
    *) fail ${STANDALONE_STATUS.noVerdict} "there is no option $1; --help shows what there is" ;;
  esac
  shift
done
case $timeout in
  '' | *[!0-9]* | 0) fail ${STANDALONE_STATUS.noVerdict} "--timeout takes whole seconds, not $timeout" ;;
esac
for tool in base64 gzip mkfifo mktemp tee timeout; do
  command -v "$tool" > /dev/null || fail ${STANDALONE_STATUS.environment} "$tool is not installed"
done
command -v -- "$qemu" > /dev/null || fail ${STANDALONE_STATUS.environment} "there is no $qemu; install $package (Debian), or name one by --qemu"

work=$(mktemp -d) || fail ${STANDALONE_STATUS.environment} "cannot make a temporary folder"
guest=
# shellcheck disable=SC2317 # called by traps
cleanup() {
  if [ -n "$guest" ]; then
    # \`timeout\` passes it on to QEMU.
    kill "$guest" 2> /dev/null
    wait "$guest" 2> /dev/null
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case $accel in
${accelerators.map((accelerator) => [`  ${accelerator.name})`, "    args=(", ...argumentLines(accelerator.args), "    )", "    ;;"].join("\n")).join("\n")}
  *) fail ${STANDALONE_STATUS.noVerdict} "--accel takes ${names.join(", ")}, not $accel" ;;
esac
[ -z "$append" ] || args+=(-append "$append")
args+=("$@")

image() {
  base64 -d << 'IMAGE' | gzip -dc
${base64Lines(gzipSync(options.image, { level: 9 })).join("\n")}
IMAGE
}
image > "$work/image" || fail ${STANDALONE_STATUS.environment} "cannot unpack the image to $work"

[ -z "$verbose" ] || printf '+ %s\\n' "$(printf '%q ' "$qemu" "\${args[@]}")" >&2
mkfifo "$work/console" || fail ${STANDALONE_STATUS.environment} "cannot make a pipe in $work"
mkfifo "$work/errors" || fail ${STANDALONE_STATUS.environment} "cannot make a pipe in $work"
tee "$work/log" < "$work/console" &
reader=$!
# Network devices that only reach each other are meant so.
while IFS= read -r line; do
  case $line in
    *': warning: hub '*' is not connected to host network') ;;
    *) printf '%s\\n' "$line" >&2 ;;
  esac
done < "$work/errors" &
errors=$!
SECONDS=0
# In the background, because a trap waits for whatever runs in the foreground.
timeout -k 5 "$timeout" "$qemu" "\${args[@]}" < /dev/null > "$work/console" 2> "$work/errors" &
guest=$!
wait "$guest"
status=$?
guest=
wait "$reader" "$errors"

# 137 is also what a QEMU ends with that somebody else has killed.
if [ $status -eq 124 ] || { [ $status -eq 137 ] && [ $SECONDS -ge "$timeout" ]; }; then
  fail ${STANDALONE_STATUS.timedOut} "timed out after $timeout s"
fi
case $status in
  ${exit.good}) grep -q '^ok 1 ' "$work/log" && exit ${STANDALONE_STATUS.pass} ;;
  ${exit.failed}) grep -q '^not ok 1 ' "$work/log" && exit ${STANDALONE_STATUS.fail} ;;
esac
fail ${STANDALONE_STATUS.noVerdict} "no verdict: QEMU ended with status $status"
`;
  return text;
}
