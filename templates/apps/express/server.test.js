const test = require('node:test');
const assert = require('node:assert');
const { once } = require('node:events');

process.env.PORT = '0'; // any port that is free
const server = require('./server.js');

test('says hello', async (t) => {
  t.after(() => server.close());
  if (!server.listening) await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /Hello from Express on NodeOS/);
});
