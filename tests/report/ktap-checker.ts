// A strict reader of KTAP version 1 (Linux, Documentation/dev-tools/ktap.rst), for tests: at every level a version line, then a plan, then
// numbered results, two spaces a level, a nested block always closed by its parent's result, verdicts carried upwards. It accepts
// nothing that the specification only tolerates. The draft of version 2 adds metadata (`#:ktap_..`), in its place and under its header.

export interface KtapResult {
  readonly name: string;
  readonly isOk: boolean;
  readonly directive: string | null;
  readonly children: readonly KtapResult[];
}

const DIRECTIVES = ["SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR"];

export interface KtapRules {
  readonly version: 1 | 2;
  /** Blanks a level: the specification has 2, the kernel writes 4. */
  readonly step: number;
}

/** The metadata of version 2 that stands before a result or opens a block begins with its header. */
const METADATA = /^#:(?:ktap|guestspec|custom)_[a-z_]+: \S/;
const HEADER = "#:ktap_test: ";

export function checkKtap(text: string, { version, step }: KtapRules = { version: 1, step: 2 }): KtapResult[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  let index = 0;

  const fault = (sentence: string): Error => new Error(`line ${index + 1}: ${sentence}: ${JSON.stringify(lines[index] ?? "end")}`);

  const readBlock = (depth: number): KtapResult[] => {
    const indent = " ".repeat(step * depth);
    const take = (): string | null => {
      const line = lines[index];
      if (line === undefined || !line.startsWith(indent)) return null;
      return line.slice(indent.length);
    };
    /** Null: no header came. */
    const skipDiagnostics = (): string | null => {
      let header: string | null = null;
      for (let line = take(); line?.startsWith("#") === true; line = take()) {
        if (line.startsWith("#:")) {
          if (version === 1 || !METADATA.test(line)) throw fault("not a metadata line");
          if (line.startsWith(HEADER)) header = line.slice(HEADER.length);
          else if (header === null) throw fault("metadata begins with its header");
        } else if (!/^# \S|^# {2,}\S|^#$/.test(take() ?? "")) throw fault("not a diagnostic line");
        index++;
      }
      if (version === 1) return null;
      return header;
    };
    if (take() !== `KTAP version ${version}`) throw fault("a version line must come first");
    index++;
    const opening = skipDiagnostics();
    if (version === 2 && opening === null) throw fault("a block begins with its header");
    if (version === 2 && depth === 0 && opening !== "main") throw fault("the outermost header is `main`");
    const plan = /^1\.\.(\d+)$/.exec(take() ?? "");
    if (plan === null) throw fault("a plan must follow the version line");
    index++;
    const results: KtapResult[] = [];
    for (;;) {
      let header = skipDiagnostics();
      const line = take();
      if (line === null) break;
      let children: KtapResult[] = [];
      if (line.startsWith(" ".repeat(step))) {
        children = readBlock(depth + 1);
        header = skipDiagnostics();
      }
      const result = /^(ok|not ok) (\d+)(?: ([^#]+?))?(?: # (.*))?$/.exec(take() ?? "");
      if (result === null) throw fault("not a result line");
      const [, word, number, name = "", data = ""] = result;
      if (Number(number) !== results.length + 1) throw fault(`expected number ${results.length + 1}`);
      if (version === 2 && children.length === 0 && header !== null && header !== name) throw fault(`the header before it is of ${header}`);
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
