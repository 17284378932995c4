// This file is loaded by Node in a machine that has no app yet, by NODE_OPTIONS=--require, before Node looks for its
// main file. It runs what every server runs, says on stdout that it is ready, and waits on stdin for one line: which app
// it is to be. Then it makes this process look as if Node had been started for that app, and returns; Node goes on, to
// the main file of the app. So no frame of this file is below the app's, and no timer or promise is left of it.
//
// Run as a program, it does the same things with real connections: a process of its own, which ends before the other
// one begins. What it leaves is warm: pages, and in an emulated machine translated code.
'use strict';
const fs = require('fs');
const path = require('path');
const Module = require('module');

// What most apps load. By being loaded, none of these does anything but take time; assert makes the stream of stderr.
const COMMON = ['http', 'https', 'net', 'tls', 'crypto', 'url', 'querystring', 'stream', 'stream/promises', 'zlib', 'util',
  'events', 'buffer', 'string_decoder', 'os', 'tty', 'async_hooks', 'child_process', 'dns', 'fs/promises', 'timers', 'cluster'];

if (require.main === module) train();
else if (process.env.NODEOS_LOADER) become(); // threads of the app inherit --require, and not this variable
else forget();

function become() {
  practise();
  practiseMain();
  assume(parse([Buffer.from('{"args":["node","main.js"],"env":["A=b"],"dir":"/"}\n')]));
  forget(); // most of it now: the app waits for the rest
  fs.writeSync(1, 'ready\n');
  const order = read();
  // An input like that of any other app, at its place.
  fs.closeSync(0);
  fs.openSync('/dev/null', 'r');
  const main = assume(order);
  const { uptime } = process, born = uptime();
  process.uptime = { uptime() { return uptime() - born; } }.uptime;
  forget();
  Module._initPaths(); // of HOME and NODE_PATH
  leadTo(main);
}

// assume makes this process one that was started as order says, and returns the path of its main file.
function assume(order) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const entry of order.env) {
    const at = entry.indexOf('=');
    process.env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  process.chdir(order.dir);
  const main = path.resolve(order.args[1]);
  process.argv = [process.execPath, main, ...order.args.slice(2)];
  return main;
}

// leadTo has Node run main as its main file. Node reads Module.runMain once, and calls it with what its command line
// says. A bound function has no frame of its own, and with runMain in its place again the frame has its usual name.
function leadTo(main) {
  const was = Object.getOwnPropertyDescriptor(Module, 'runMain');
  Object.defineProperty(Module, 'runMain', {
    configurable: true, enumerable: was.enumerable,
    get() {
      Object.defineProperty(Module, 'runMain', was);
      return was.value.bind(Module, main);
    },
  });
}

// forget takes away what Node knows of this file.
function forget() {
  for (const name of Object.keys(Module._cache)) delete Module._cache[name];
  for (const key of Object.keys(Module._pathCache)) delete Module._pathCache[key];
  const was = Object.getOwnPropertyDescriptor(process, '_preload_modules');
  if (was && was.configurable) Object.defineProperty(process, '_preload_modules', { ...was, value: [] });
}

// read waits for the order. If whoever would give it is gone, there is nothing to do.
function read() {
  const chunks = [], chunk = Buffer.allocUnsafeSlow(65536);
  for (;;) {
    const n = fs.readSync(0, chunk);
    if (n === 0) process.exit(0);
    chunks.push(Buffer.from(chunk.subarray(0, n)));
    if (chunk[n - 1] === 10) return parse(chunks);
  }
}

// parse returns the order that came in chunks.
function parse(chunks) {
  return JSON.parse(Buffer.concat(chunks).toString());
}

// practiseMain runs a main file, as Node does when this one has returned. Where Node does that otherwise, the app only
// starts more slowly.
function practiseMain() {
  const dir = fs.mkdtempSync('/tmp/loader-');
  fs.writeFileSync(`${dir}/package.json`, '{"name":"main"}');
  fs.writeFileSync(`${dir}/main.js`, "'use strict';\nconst http = require('http');\n");
  try { Module.runMain(`${dir}/main.js`); } catch {}
  delete process.mainModule;
  fs.rmSync(dir, { recursive: true });
}

// practise runs what a server runs until it has answered, without an event loop.
function practise() {
  for (const name of COMMON) require(name);
  loadModules(40);
  for (let i = 0; i < 5; i++) serve();
}

// loadModules loads n modules that need one another.
function loadModules(n) {
  const dir = fs.mkdtempSync('/tmp/loader-');
  for (let i = 0; i < n; i++) {
    const at = `${dir}/node_modules/m${i}`, main = i % 2 ? 'lib/x.js' : 'index.js';
    fs.mkdirSync(path.dirname(`${at}/${main}`), { recursive: true });
    fs.writeFileSync(`${at}/package.json`, JSON.stringify({ name: `m${i}`, main: i % 2 ? main : undefined }));
    fs.writeFileSync(`${at}/${main}`, `'use strict'
const path = require('path')${i ? `, before = require('m${i - 1}')` : ''}
module.exports = function (x) { return path.join('x', String(x)) }
class Q { constructor() { this.list = [${i}] } get first() { return this.list[0] } }
exports = module.exports; exports.Q = Q; exports.first = new Q().first; exports.text = \`\${new Q().first}\`
Object.defineProperty(exports, 'lazy', { get: () => [1, 2].map(x => x + 1).filter(Boolean) })
`);
  }
  Module.createRequire(`${dir}/main.js`)(`m${n - 1}`);
  fs.rmSync(dir, { recursive: true });
}

// serve answers a request that comes by no network. Ticks are run by hand: the event loop begins with the app.
function serve() {
  const http = require('http'), { Duplex } = require('stream');
  const socket = new Duplex({ read() {}, write(chunk, encoding, done) { done(); } });
  const server = http.createServer((req, res) => {
    res.sendDate = false; // the time of now would be kept
    res.setHeader('content-type', 'text/plain');
    res.end('hello');
  });
  server.emit('connection', socket);
  socket.push('GET /?a=b HTTP/1.1\r\nhost: localhost\r\nuser-agent: x\r\naccept: */*\r\nconnection: close\r\n\r\n');
  process._tickCallback();
  socket.destroy();
  process._tickCallback();
}

function train() {
  practise();
  const http = require('http');
  const server = http.createServer((req, res) => res.end('hello'));
  server.listen(0, '127.0.0.1', () => {
    let left = 5;
    const ask = () => http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (res) => {
      res.resume().on('end', () => (--left ? ask() : server.close()));
    });
    ask();
  });
}
