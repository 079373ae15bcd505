// Options that a project's profiles give where the command line and the environment say nothing: those of `--profile NAME`, then those of
// the profile `default`. Loaded when guestspec.yaml has profiles, or one is asked for.

import { didYouMean } from "../grammar/nearest-name.ts";
import { usageError } from "./errors.ts";
import { PROJECT_FILE } from "./places.ts";
import { withLayer, type OptionLayer, type OptionRow, type ParsedOptions } from "./options.ts";
import { DEFAULT_PROFILE, readProjectRun } from "./project-run.ts";

/** `all`: every option that a profile may set; `rows`: those of the command at hand, which takes what it knows. */
export function applyProfiles(options: ParsedOptions, rows: readonly OptionRow[], all: readonly OptionRow[]): ParsedOptions {
  const { profiles } = readProjectRun(all);
  const wanted = options.value("profile");
  if (wanted !== null && wanted !== DEFAULT_PROFILE && !profiles.has(wanted)) {
    const known = [...profiles.keys()].join(", ");
    const others = known === "" ? `${PROJECT_FILE} has no \`profiles\`` : `profiles: ${known}`;
    throw usageError(`there is no profile \`${wanted}\``, didYouMean(wanted, profiles.keys(), others));
  }
  let result = options;
  for (const name of new Set([wanted ?? DEFAULT_PROFILE, DEFAULT_PROFILE])) {
    const layer: OptionLayer = new Map(
      [...(profiles.get(name) ?? [])].flatMap(([option, { values, line }]) =>
        rows.some((row) => row.name === option)
          ? [[option, { values, origin: `profile ${name}, ${PROJECT_FILE}:${line}`, spelled: `${PROJECT_FILE}:${line}: \`${option}\`` }] as const]
          : [],
      ),
    );
    result = withLayer(result, layer);
  }
  return result;
}
