const test = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { primes } = require('./job.js');

test('primes', () => assert.deepEqual([10, 1000].map(primes), [4, 168]));

test('SIGTERM ends the worker between two jobs', async () => {
  const worker = spawn(process.execPath, ['worker.js'], { env: { EVERY: '60' } });
  const [line] = await once(worker.stdout, 'data');
  assert.match(`${line}`, /168 primes below 1000/);
  worker.kill();
  assert.deepEqual(await once(worker, 'exit'), [0, null]);
});
