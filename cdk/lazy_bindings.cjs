// Loads a module of the prebuilt Google bindings when it is first asked for. Their index requires all 1,470 of them at once,
// which is most of what a synth takes. Given to the Node that runs jsii by cdk/bindings.py; knows nothing of the stacks.
"use strict";

const Module = require("module");
const path = require("path");

const INDEX = path.join("provider-google", "lib", "index.js");
const EAGER = /^exports\.(\w+) = require\((".+")\);$/gm;
const CLEARED = /^(?:exports\.\w+ = )+void 0;$/gm;

const compile = Module.prototype._compile;
Module.prototype._compile = function (source, filename, ...rest) {
  const lazy = filename.endsWith(INDEX)
    ? source
        .replace(CLEARED, "")
        .replace(EAGER, 'Object.defineProperty(exports, "$1", { enumerable: true, get: () => require($2) });')
    : source;
  return compile.call(this, lazy, filename, ...rest);
};
