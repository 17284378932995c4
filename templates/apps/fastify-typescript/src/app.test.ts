import assert from 'node:assert/strict';
import test from 'node:test';
import { build } from './app.js';

test('hello, by name', async () => {
  const app = build(false);
  const { hello } = (await app.inject('/?name=Ada')).json();
  assert.equal(hello, 'Ada');
  assert.equal((await app.inject('/?name=')).statusCode, 400);
  assert.equal((await app.inject('/healthz')).statusCode, 200);
});
