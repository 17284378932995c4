// The files of this app's packages, put together when they were installed: this takes the place of looking for each of
// them, reading it, and compiling it by itself. All else is Node's: what a require leads to, require.cache, the
// objects of modules, and what anybody changes in package `module`, for which this steps aside.
'use strict';
const Module = require('module');
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const modules = path.dirname(__dirname) + '/';
const index = { __proto__: null, ...INDEX }; // file, below node_modules: which chunk has it
const chunks = [];
const { _load, _resolveFilename, _extensions } = Module, { require: plain, _compile } = Module.prototype;
const js = _extensions['.js'], json = _extensions['.json'];

// untouched: nobody has a part in how modules are loaded.
function untouched(module) {
  return Module._load === _load && Module._resolveFilename === _resolveFilename && module.require === plain &&
    module._compile === _compile && _extensions['.js'] === load && _extensions['.json'] === json;
}

function find(name) {
  const n = index[name];
  if (n === undefined) return undefined;
  const file = `${__dirname}/packages-${n + 1}.js`;
  chunks[n] ??= new vm.Script(fs.readFileSync(file, 'utf8'), { filename: file }).runInThisContext();
  return chunks[n][name];
}

// load takes the place of Node's loader of JavaScript, for files that are in a chunk.
function load(module, filename) {
  const found = filename.startsWith(modules) && module._compile === _compile ? find(filename.slice(modules.length)) : undefined;
  if (found === undefined) return Reflect.apply(js, this, arguments);
  run(module, filename, found);
}

function run(module, filename, found) {
  found[0].call(module.exports, module.exports, requireOf(module, found[1]), module, filename, path.dirname(filename));
}

// requireOf is the function that a module knows as require, with all that Node's has.
function requireOf(module, leads) {
  function require(id) {
    const name = leads[id];
    return name !== undefined && untouched(module) ? get(name, module) : module.require(id);
  }
  require.resolve = function resolve(request, options) { return Module._resolveFilename(request, module, false, options); };
  require.resolve.paths = function paths(request) { return Module._resolveLookupPaths(request, module); };
  require.main = process.mainModule;
  require.extensions = _extensions;
  require.cache = Module._cache;
  return require;
}

// get is what Module._load does for a file that is known.
function get(name, parent) {
  const filename = modules + name, was = Module._cache[filename];
  if (was !== undefined) {
    if (!parent.children.includes(was)) parent.children.push(was);
    return was.exports;
  }
  const module = new Module(filename, parent), found = find(name);
  Module._cache[filename] = module;
  module.filename = filename;
  module.paths = Module._nodeModulePaths(path.dirname(filename));
  try {
    if (found.length === 1) module.exports = JSON.parse(found[0]);
    else run(module, filename, found);
    module.loaded = true;
  } finally {
    if (!module.loaded) {
      delete Module._cache[filename];
      parent.children.splice(parent.children.indexOf(module), 1);
    }
  }
  return module.exports;
}

_extensions['.js'] = load;
delete Module._cache[__filename];
if (module.parent) module.parent.children.splice(module.parent.children.indexOf(module), 1);
