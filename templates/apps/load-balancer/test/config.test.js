import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { load } from '../lib/config.js';
import { Pool } from '../lib/pool.js';

function file(t, text) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lb'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  fs.writeFileSync(path.join(dir, 'b.json'), text);
  return path.join(dir, 'b.json');
}

test('the variable wins over the file', (t) => {
  const name = file(t, '{"backends": ["http://a:1", {"url": "http://b.localhost", "via": "http://192.0.2.1:8080"}], "balance": "least-connections"}');
  const own = load(name, {});
  assert.deepEqual(own.backends.map((b) => [b.host, b.target]), [['a:1', 'http://a:1'], ['b.localhost', 'http://192.0.2.1:8080']]);
  assert.equal(own.balance, 'least-connections');
  assert.deepEqual(load(name, { BACKENDS: 'http://c:3', BALANCE: 'round-robin' }).backends.map((b) => b.name), ['http://c:3']);
  assert.deepEqual(load(name, { BACKENDS: '' }).backends, []);
  assert.deepEqual(load('nowhere.json', {}).backends, []);
});

for (const [text, env, said] of [
  ['{"backends": [}', {}, /b\.json/],
  ['{"backend": []}', {}, /"backend" is not known/],
  ['{"backends": "http://a"}', {}, /a list/],
  ['{"backends": ["a:80"]}', {}, /backend 1: "a:80"/],
  ['{"backends": ["http://a/path"]}', {}, /more than an address/],
  ['{"backends": [{"url": "http://a", "weight": 2}]}', {}, /"weight" is not known/],
  ['{"balance": "random"}', {}, /round-robin or least-connections/],
  ['{"health": {"interval": 1}}', {}, /milliseconds/],
  ['{}', { BACKENDS: 'one.example.org' }, /BACKENDS: "one.example.org" is no address/],
]) {
  test(`refused: ${text} ${JSON.stringify(env)}`, (t) => assert.throws(() => load(file(t, text), env), said));
}

const backends = ['a', 'b', 'c'].map((name) => ({ name, host: name, target: `http://${name}` }));
const silent = { info() {}, warn() {} };
const names = (pool, n) => Array.from({ length: n }, () => pool.pick().name).join('');

test('round robin, without those that are out; all of them, if none is left', () => {
  const pool = new Pool({ backends, balance: 'round-robin', health: {} }, silent);
  assert.equal(names(pool, 6), 'abcabc');
  pool.mark(pool.backends[1], 'gone');
  assert.equal(names(pool, 4), 'acac');
  for (const b of pool.backends) pool.mark(b, 'gone');
  assert.equal(names(pool, 3), 'abc');
  assert.equal(pool.pick(new Set(pool.backends)), undefined);
});

test('least connections, and in turn where they are equal', () => {
  const pool = new Pool({ backends, balance: 'least-connections', health: {} }, silent);
  assert.equal(names(pool, 3), 'abc');
  pool.backends[0].active = 2;
  pool.backends[1].active = 1;
  assert.equal(names(pool, 2), 'cc');
});
