// Lets tests and benchmarks import .tsx from the sources: Node strips types, but refuses JSX. Loaded with --import.
import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

let transform;
registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith("file:") || !url.endsWith(".tsx")) return nextLoad(url, context);
    transform ??= createRequire(import.meta.url)("esbuild").transformSync;
    const path = fileURLToPath(url);
    const { code } = transform(readFileSync(path, "utf8"), {
      loader: "tsx",
      jsx: "automatic",
      target: "node22",
      sourcefile: path,
      sourcemap: "inline",
    });
    return { format: "module", shortCircuit: true, source: code };
  },
});
