// What the cache gives back of a module is decoded at need, and let go of. That it is what was stored is in cache.test.ts.

import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { generateModule } from "../../tests/fixtures/generate-module.ts";
import { loadModule, storeModule } from "./stored-module.ts";

test("a body that somebody holds is one object; one that nobody holds is not kept", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const module = generateModule(11);
  const loaded = loadModule(storeModule(module));
  const fn = loaded?.functions[0];
  assert.ok(loaded !== null && fn !== undefined);
  const held = fn.body;
  assert.equal(fn.body, held);
  assert.deepEqual(held, module.functions[0]?.body);
  const places = new WeakRef(loaded.locations);
  // What a weak reference has given stays until the running job ends.
  await later(0);
  collect();
  assert.equal(places.deref(), undefined, "locations are let go of");
  assert.equal(fn.body, held, "while the body is held");
  assert.deepEqual(loaded.locations, module.locations);
});
