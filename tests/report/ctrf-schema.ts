// The rules of the CTRF schema (ctrf.io, draft-07) for the parts that we write, to hold our reports against. Everything that the original
// forbids is forbidden here; parts that we never write (insights, baseline, steps, attachments) are left out, and so refused.

const count = { type: "integer", minimum: 0 } as const;
const text = { type: "string" } as const;
const extra = { type: "object" } as const;
const uuid = {
  type: "string",
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
} as const;
const status = { enum: ["passed", "failed", "skipped", "pending", "other"] } as const;

function closed(required: readonly string[], properties: object): object {
  return { type: "object", required, properties, additionalProperties: false };
}

export const ctrfSchema: object = closed(["results", "reportFormat", "specVersion"], {
  reportFormat: { const: "CTRF" },
  specVersion: { type: "string", pattern: "^[0-9]+\\.[0-9]+\\.[0-9]+$" },
  reportId: uuid,
  timestamp: { type: "string", pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$" },
  generatedBy: text,
  extra,
  results: closed(["tool", "summary", "tests"], {
    tool: closed(["name"], { name: { type: "string", minLength: 1 }, version: text, extra }),
    summary: closed(["tests", "passed", "failed", "skipped", "pending", "other", "start", "stop"], {
      tests: count,
      passed: count,
      failed: count,
      skipped: count,
      pending: count,
      other: count,
      flaky: count,
      suites: count,
      start: count,
      stop: count,
      duration: count,
      extra,
    }),
    tests: {
      type: "array",
      items: closed(["name", "status", "duration"], {
        id: uuid,
        name: { type: "string", minLength: 1 },
        status,
        duration: count,
        start: count,
        stop: count,
        suite: { type: "array", minItems: 1, items: text },
        message: text,
        trace: text,
        snippet: text,
        line: count,
        rawStatus: text,
        tags: { type: "array", items: text },
        type: text,
        filePath: text,
        retries: { type: "integer" },
        retryAttempts: {
          type: "array",
          items: closed(["attempt", "status"], {
            attempt: { type: "integer", minimum: 1 },
            status,
            duration: { type: "integer" },
            message: text,
            extra,
          }),
        },
        flaky: { type: "boolean" },
        stdout: { type: "array", items: text },
        stderr: { type: "array", items: text },
        threadId: text,
        parameters: { type: "object" },
        extra,
      }),
    },
    environment: { type: "object" },
    extra,
  }),
});
