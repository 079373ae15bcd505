// A strict reader of TAP 14 and 13 (testanything.org), for tests: the version once, a plan before the results of each level, numbers from 1, a
// hyphen before descriptions, no unescaped `#` that is no directive; in TAP 14 subtests in four blanks behind their comment, ended by the point of
// their name; YAML behind a point only. A parent fails with its children; `not ok` with TODO counts as good.

export interface TapPoint {
  readonly name: string;
  readonly isGood: boolean;
  readonly directive: "SKIP" | "TODO" | null;
  readonly yaml: readonly string[];
  readonly children: readonly TapPoint[];
}

export function checkTap(text: string, version: 13 | 14): TapPoint[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  let index = 0;
  const fault = (sentence: string): Error => new Error(`line ${index + 1}: ${sentence}: ${JSON.stringify(lines[index] ?? "end")}`);

  const readLevel = (depth: number): TapPoint[] => {
    const indent = "    ".repeat(depth);
    const take = (): string | null => {
      const line = lines[index];
      return line === undefined || !line.startsWith(indent) ? null : line.slice(indent.length);
    };
    /** The last subtest that a comment names. */
    const skipComments = (): string | null => {
      let named: string | null = null;
      for (let line = take(); line !== null && /^#(?: |$)/.test(line); line = take()) {
        named = /^# Subtest: (.*)$/.exec(line)?.[1] ?? named;
        index++;
      }
      return named;
    };
    const readYaml = (): string[] => {
      if (take() !== "  ---") return [];
      const start = ++index;
      while (take() !== "  ...") {
        if (!/^ {2}[a-z_]+: \S/.test(take() ?? "")) throw fault("not a line of YAML");
        index++;
      }
      return lines.slice(start, index++).map((line) => line.slice(indent.length + 2));
    };
    const points: TapPoint[] = [];
    skipComments();
    const plan = /^1\.\.(\d+)$/.exec(take() ?? "");
    if (plan === null) throw fault("a plan must come first");
    index++;
    for (;;) {
      const subtest = skipComments();
      if (take() === null) break;
      let children: TapPoint[] = [];
      if (take()?.startsWith("    ") === true) {
        if (version === 13) throw fault("TAP 13 has no subtests");
        if (subtest === null) throw fault("a subtest has its comment");
        children = readLevel(depth + 1);
        skipComments();
      }
      const point = /^(ok|not ok) (\d+) - ((?:[^\\#]|\\[\\#])+?)(?: # (SKIP|TODO)(?: (?:[^\\#]|\\[\\#])*)?)?$/.exec(take() ?? "");
      if (point === null) throw fault("not a test point");
      const [, word, number, name = "", directive] = point;
      if (Number(number) !== points.length + 1) throw fault(`expected number ${points.length + 1}`);
      if (children.length > 0 && name !== subtest) throw fault(`the subtest is ${subtest}`);
      const isGood = word === "ok" || directive === "TODO";
      if (isGood && children.some((child) => !child.isGood)) throw fault("a parent must fail with its child");
      index++;
      points.push({ name, isGood, directive: directive === "SKIP" || directive === "TODO" ? directive : null, yaml: readYaml(), children });
    }
    if (points.length !== Number(plan[1])) throw fault(`the plan says ${plan[1]}, ${points.length} came`);
    return points;
  };

  if (lines[0] !== `TAP version ${version}`) throw fault("the version must come first");
  index++;
  const points = readLevel(0);
  if (index !== lines.length) throw fault("text behind the results");
  return points;
}
