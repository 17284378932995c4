import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import pg from 'pg';

const TOKEN = 'a token for the test';

// Another Postgres of this host may have the usual port.
async function freePort() {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return String(port);
}
const PGPORT = await freePort();

async function begin(dir) {
  const app = spawn(process.execPath, ['server.js'], { env: { PATH: process.env.PATH, PORT: '0', DATA: dir, TOKEN, PGPORT }, stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface(app.stdout)) {
    const [, port] = line.match(/^listening on (\d+)/) ?? [];
    if (!port) continue;
    app.stdout.resume();
    const query = async (sql, params, token = TOKEN) => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://127.0.0.1:${port}/query`, { method: 'POST', headers, body: JSON.stringify({ sql, params }) });
      return { status: answer.status, ...(await answer.json()) };
    };
    return { app, query };
  }
  throw new Error('it did not start');
}

test('what was written is there after a stop, and after a crash', { timeout: 60_000 }, async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pg'));
  t.after(() => fs.rmSync(dir, { recursive: true }));

  let { app, query } = await begin(dir);
  assert.equal((await query('create table t (n int)')).command, 'CREATE');
  assert.equal((await query('insert into t values ($1), ($2)', [1, 2])).rowCount, 2);
  assert.equal((await query('select 1', [], 'another token of them')).status, 401);
  const wrong = await query('select nothing');
  assert.deepEqual([wrong.status, wrong.code], [400, '42703']);
  const connect = (password) => new pg.Client({ host: 'localhost', port: Number(PGPORT), user: 'postgres', password });
  const client = connect(TOKEN);
  await client.connect();
  assert.equal((await client.query('select count(*)::int as n from t')).rows[0].n, 2);
  await client.end();
  await assert.rejects(connect('another token of them').connect(), { code: '28P01' });
  app.kill();
  assert.equal((await once(app, 'exit'))[0], 0);

  ({ app, query } = await begin(dir));
  assert.deepEqual((await query('select sum(n)::int from t')).rows, [{ sum: 3 }]);
  const { rows } = await query('insert into t values (4) returning (select setting from pg_settings where name = $1)', ['data_directory']);
  const pid = Number.parseInt(fs.readFileSync(`${rows[0].setting}/postmaster.pid`, 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  assert.equal((await once(app, 'exit'))[0], 1, 'the app ends with its database');

  ({ app, query } = await begin(dir));
  assert.deepEqual((await query('select sum(n)::int from t')).rows, [{ sum: 7 }]);
  app.kill();
  await once(app, 'exit');
});
