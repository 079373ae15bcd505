// Paths as specs write them: relative to the file that names them, with `/` on every host. The compiler touches no file system; it only
// joins names and hands them to the caller's `readFile`.

export function joinPath(from: string, relative: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of relative.split("/")) {
    if (part === "." || part === "") continue;
    if (part === ".." && parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
    else parts.push(part);
  }
  return (from.startsWith("/") && parts[0] !== "" ? "/" : "") + parts.join("/");
}
