// The process as commands see it: where to write, whether in colour, which variables are set. One object, so that commands are
// functions of it, and so that the rules of NO_COLOR, FORCE_COLOR, CI and TTYs are told once.

export interface Io {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdoutIsTty: boolean;
  readonly outColor: boolean;
  readonly errColor: boolean;
  /** Under a CI server: nobody watches. */
  readonly isCi: boolean;
  columns(): number;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** https://no-color.org and Node's FORCE_COLOR; an empty variable counts as unset. */
export function wantsColor(env: Io["env"], isTty: boolean): boolean {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return env.FORCE_COLOR !== "0";
  return isTty && env.TERM !== "dumb";
}

export function processIo(): Io {
  const { env, stdout, stderr } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    env,
    stdoutIsTty: stdout.isTTY === true,
    outColor: wantsColor(env, stdout.isTTY === true),
    errColor: wantsColor(env, stderr.isTTY === true),
    isCi: isSet(env.CI) && env.CI !== "false",
    columns: () => stdout.columns ?? 80,
  };
}
