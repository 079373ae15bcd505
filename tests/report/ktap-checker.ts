// A strict reader of KTAP version 1 (Linux, Documentation/dev-tools/ktap.rst), for tests: at every level a version line, then a plan, then
// numbered results, two spaces a level, a nested block always closed by its parent's result, verdicts carried upwards. It accepts
// nothing that the specification only tolerates.

export interface KtapResult {
  readonly name: string;
  readonly isOk: boolean;
  readonly directive: string | null;
  readonly children: readonly KtapResult[];
}

const DIRECTIVES = ["SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR"];

export function checkKtap(text: string): KtapResult[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  let index = 0;

  const fault = (sentence: string): Error => new Error(`line ${index + 1}: ${sentence}: ${JSON.stringify(lines[index] ?? "end")}`);

  const readBlock = (depth: number): KtapResult[] => {
    const indent = "  ".repeat(depth);
    const take = (): string | null => {
      const line = lines[index];
      if (line === undefined || !line.startsWith(indent)) return null;
      return line.slice(indent.length);
    };
    const skipDiagnostics = (): void => {
      while (take()?.startsWith("#") === true) {
        if (!/^# \S|^# {2,}\S|^#$/.test(take() ?? "")) throw fault("not a diagnostic line");
        index++;
      }
    };
    if (take() !== "KTAP version 1") throw fault("a version line must come first");
    index++;
    skipDiagnostics();
    const plan = /^1\.\.(\d+)$/.exec(take() ?? "");
    if (plan === null) throw fault("a plan must follow the version line");
    index++;
    const results: KtapResult[] = [];
    for (;;) {
      skipDiagnostics();
      const line = take();
      if (line === null) break;
      let children: KtapResult[] = [];
      if (line.startsWith("  ")) {
        children = readBlock(depth + 1);
        skipDiagnostics();
      }
      const result = /^(ok|not ok) (\d+)(?: ([^#]+?))?(?: # (.*))?$/.exec(take() ?? "");
      if (result === null) throw fault("not a result line");
      const [, word, number, name = "", data = ""] = result;
      if (Number(number) !== results.length + 1) throw fault(`expected number ${results.length + 1}`);
      const isOk = word === "ok";
      if (isOk && children.some((child) => !child.isOk)) throw fault("a parent must fail with its child");
      const directive = DIRECTIVES.find((candidate) => data === candidate || data.startsWith(`${candidate} `)) ?? null;
      if (isOk && (directive === "TIMEOUT" || directive === "ERROR")) throw fault(`${directive} on a passed test`);
      results.push({ name, isOk, directive, children });
      index++;
    }
    if (results.length !== Number(plan[1])) throw fault(`the plan says ${plan[1]}, ${results.length} came`);
    return results;
  };

  const results = readBlock(0);
  if (index !== lines.length) throw fault("text behind the results");
  return results;
}
