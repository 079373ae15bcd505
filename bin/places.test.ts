// Homes as containers and services have them.

import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { test } from "node:test";
import { homeFolder } from "./places.ts";

test("HOME is a user's home; without it, or with an empty one, the system knows", () => {
  assert.equal(homeFolder({ HOME: "/here" }), "/here");
  assert.equal(homeFolder({}), userInfo().homedir);
  assert.equal(homeFolder({ HOME: "" }), userInfo().homedir);
});
