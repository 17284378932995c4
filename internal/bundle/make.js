// This program is run by Node in the sandbox of a build, in the app's folder, when its packages are there as they will
// be in a machine. It loads each package that the app names, each in a process of its own, notes which files Node takes
// for it, and writes these into a few files, node_modules/.nodeos/packages-N.js. RUN (run.js) reads them in a machine.
//
// Node itself has said which file a `require` leads to: nothing is guessed. A package that does not load here, and a
// file that would run differently, are left out: they are found as ever.
'use strict';
const fs = require('fs');
const path = require('path');
const util = require('util');
const vm = require('vm');
const Module = require('module');
const { spawnSync } = require('child_process');

const ROOT = process.cwd(), MODULES = path.join(ROOT, 'node_modules') + '/', OUT = MODULES + '.nodeos';
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];
const MOST_BYTES = 512 << 10; // of one file: it gains nothing by being beside others, and may not be needed
// A comment that surely is one, as those that have types in them: {import('.')}.
const COMMENT = /^\s*\/\/.*$|^\s*\*\s+@.*$|\/\*\*\s+@\w+[^*]*\*\//gm;
const WIDE = /[^\0-\x7f]/;
const IMPORT = /\bimport\s*[(./]/;
const PASSES = /^\s*import (\w+) from '(\.\/[\w./-]+\.c?js)';\s*export default \1;\s*export \{ \1 as 'module\.exports' \};?\s*$/;
const LIMIT_MS = 20_000; // for one package to load

if (process.argv[1] === 'load') load(process.argv[2], process.argv[3]);
else make(process.argv[1] || '.');

// load loads one package as the app in the folder dir would, and writes what Node did to the descriptor 3.
function load(dir, name) {
  const main = path.join(ROOT, dir, 'package.json');
  const edges = {}, { _load } = Module;
  Module._load = function (request, parent) {
    const exports = Reflect.apply(_load, this, arguments);
    if (parent && parent.filename && !Module.isBuiltin(request)) {
      (edges[parent.filename] ??= {})[request] = Module._resolveFilename(request, parent);
    }
    return exports;
  };
  process.once('exit', () => {
    const files = Object.values(Module._cache).filter((m) => m.loaded && !util.types.isModuleNamespaceObject(m.exports));
    fs.writeSync(3, JSON.stringify({ files: files.map((m) => m.filename), edges }));
  });
  Module.createRequire(main)(name);
  process.exit(0); // what it has begun is not waited for
}

function make(dir) {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, dir, 'package.json'), 'utf8'));
  const users = new Map(), edges = {}, failed = []; // users: for each file the packages of the app that load it
  for (const name of Object.keys(dependencies || {}).sort()) {
    const child = spawnSync(process.execPath, ['-e', process._eval, 'load', dir, name],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 64 << 20 });
    const got = parse(child.output && child.output[3]);
    if (!got || child.status !== 0) failed.push(name);
    for (const file of got ? got.files : []) users.set(file, [...(users.get(file) || []), name]);
    for (const from in got ? got.edges : {}) Object.assign(edges[from] ??= {}, got.edges[from]);
  }
  fs.rmSync(OUT, { recursive: true, force: true });
  const chunks = new Map(); // by who loads them: an app that does not use a package does not read it either
  for (const file of [...users.keys()].sort()) {
    const text = packable(file);
    if (text === undefined) continue;
    // V8 keeps and reads a text with one character beyond Latin-1 as two bytes each: such files are by themselves.
    const key = users.get(file).join() + (WIDE.test(text) && !file.endsWith('.json'));
    chunks.set(key, [...(chunks.get(key) || []), [file.slice(MODULES.length), text, edges[file]]]);
  }
  if (chunks.size > 0) write([...chunks.keys()].sort().map((key) => chunks.get(key)));
  if (failed.length > 0) console.log(`not bundled, because they do not load in the build: ${failed.join(', ')}`);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it was ended, or has closed the descriptor
  }
}

// packable returns the text of a file that is the same to Node beside others, or undefined.
function packable(file) {
  if (!file.startsWith(MODULES) || file.includes('/.nodeos/')) return undefined;
  const kind = path.extname(file), text = fs.readFileSync(file, 'utf8');
  if (text.length > MOST_BYTES || text.startsWith('\ufeff')) return undefined;
  if (kind === '.json') return text;
  if (kind !== '.cjs' && kind !== '.js' || kind === '.js' && isModule(path.dirname(file))) return undefined;
  // What import() leads to depends on where the text is; a first line for a shell is none in the middle of a file.
  if (text.startsWith('#!') || IMPORT.test(text.replaceAll(COMMENT, ''))) return undefined;
  try {
    vm.compileFunction(text, PARAMETERS);
  } catch {
    return undefined;
  }
  return text;
}

// isModule reports whether Node takes the files of a folder for ES modules.
function isModule(dir) {
  for (; dir.length >= MODULES.length; dir = path.dirname(dir)) {
    const file = path.join(dir, 'package.json');
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
  }
  return false;
}

function write(chunks) {
  const index = {}, packages = new Set();
  let bytes = 0, files = 0;
  chunks.forEach((chunk, n) => {
    for (const [name] of chunk) {
      index[name] = n;
      files++;
      packages.add(/^(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(name)[0]);
    }
  });
  fs.mkdirSync(OUT);
  chunks.forEach((chunk, n) => {
    const text = `({\n${chunk.map((c) => entry(c, index)).join('')}})\n`;
    new vm.Script(text); // it is right for Node, or nothing is written
    fs.writeFileSync(`${OUT}/packages-${n + 1}.js`, text);
    bytes += text.length;
  });
  const summary = `${files} files of ${packages.size} packages, ${Math.ceil(bytes / 1024)} KiB`;
  fs.writeFileSync(`${OUT}/run.js`, `// ${summary}\n${RUN.replace('INDEX', () => JSON.stringify(index))}`);
}

// entry is one file in a chunk: its text as a function, and where its requires lead, as far as that is in a chunk.
function entry([name, text, requires], index) {
  if (name.endsWith('.json')) {
    const escaped = JSON.stringify(text).replace(/[^\0-\x7f]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
    return `${JSON.stringify(name)}: [${escaped}],\n`;
  }
  const map = {};
  for (const [request, found] of Object.entries(requires || {}).sort()) {
    const file = behind(found);
    const to = file.startsWith(MODULES) ? file.slice(MODULES.length) : '';
    if (Object.hasOwn(index, to)) map[request] = to;
  }
  const leads = JSON.stringify(map).replace('{', '{"__proto__":null,').replace(',}', '}');
  return `${JSON.stringify(name)}: [function (${PARAMETERS.join(', ')}) {${text}\n}, ${leads}],\n`;
}

// behind is the file whose exports a require of this one returns: packages have ES modules, for those who import them,
// that only pass on what a CommonJS file exports. Without them, an app need not have the loader of ES modules.
function behind(file) {
  if (!file.endsWith('.mjs')) return file;
  const passed = PASSES.exec(fs.readFileSync(file, 'utf8'));
  return passed ? path.join(path.dirname(file), passed[2]) : file;
}
