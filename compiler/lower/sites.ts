// Sites: the places that a guest names by number when it has something to say, a check that failed, a skip, memory that was misused.
// What a site is beyond its place and text is filled in by those who lower it.

import { positionAt, textOf, type Span } from "../../grammar/source.ts";
import type { Site } from "../images/manifest.ts";
import type { FunctionBuilder } from "./function-builder.ts";

export const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

export function siteAt(b: FunctionBuilder, kind: Site["kind"], span: Span): Site {
  const { line, column } = positionAt(span.source, span.start);
  return {
    kind,
    file: b.module.file(span.source),
    line,
    column,
    start: span.start,
    end: span.end,
    text: oneLine(textOf(span)),
    operator: null,
    operands: [],
    expectedTrap: null,
  };
}
