import { createHash, timingSafeEqual } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import pg from 'pg';
import { admit, prepare, ready, start } from './lib/cluster.js';
import { missing } from './lib/files.js';

const volume = process.env.DATA || '/data';
const token = process.env.TOKEN || '';

// What is missing is said in one line, before anything is begun: it is the reason of a push that fails.
function stop(line) {
  console.error(line);
  process.exit(1);
}
if (missing) stop(missing);
if (token.length < 16) stop('TOKEN is not set, or has fewer than 16 characters: openssl rand -hex 24 | ssh … config:set postgres --stdin TOKEN');
try {
  fs.accessSync(volume, fs.constants.W_OK);
} catch {
  stop(`there is no volume at ${volume}: ssh … volumes:create postgres data --size 1G --mount /data`);
}

const dir = `${volume}/pg`;
prepare(dir);
const cluster = start(dir);
const pool = new pg.Pool({ host: '/tmp', user: 'postgres', database: 'postgres', max: 10, statement_timeout: 30_000 });
pool.on('error', (err) => console.error(`an idle connection: ${err.message}`)); // it is replaced when it is needed
// A stop is asked for with SIGTERM: finish what runs, then let Postgres write what it has.
let stopping = false;
process.on('SIGTERM', async () => {
  stopping = true;
  if (server.listening) await new Promise((closed) => server.close(closed));
  await pool.end();
  await cluster.stop();
  process.exit(0);
});
// Without its database the app is of no use: it ends, and is started again.
cluster.ended.then((how) => stopping || stop(`Postgres has ended: ${how}`));

const hash = (text) => createHash('sha256').update(text).digest();
const wanted = hash(`Bearer ${token}`);
const allowed = (req) => timingSafeEqual(wanted, hash(req.headers.authorization ?? ''));

// What a path does. The answer is JSON.
const paths = {
  'GET /': async () => ({ postgres: (await pool.query('show server_version')).rows[0].server_version, query: 'POST /query {"sql", "params"}' }),
  'GET /healthz': async () => ({ ok: (await pool.query('select true as ok')).rows[0].ok }),
  'POST /query': async (req) => {
    if (!allowed(req)) throw Object.assign(new Error('Authorization: Bearer TOKEN is missing, or wrong'), { status: 401 });
    const { sql, params = [] } = await json(req);
    const { command, rowCount, rows } = await pool.query(sql, params);
    return { command, rowCount, rows };
  },
};

const server = http.createServer(async (req, res) => {
  let status = 200;
  let body;
  try {
    const path = paths[`${req.method} ${req.url}`];
    if (!path) throw Object.assign(new Error(`there are ${Object.keys(paths).join(', ')}`), { status: 404 });
    body = await path(req);
  } catch (err) {
    // An error with a code of five characters is Postgres' own, about what was asked.
    status = err.status ?? (err.code?.length === 5 || err instanceof SyntaxError || err instanceof TypeError ? 400 : 503);
    body = { error: err.message, code: err.code };
  }
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(`${JSON.stringify(body)}\n`);
});
try {
  await ready(pool);
  await admit(pool, token);
} catch (err) {
  stopping = true;
  await cluster.stop();
  stop(err.message);
}
server.listen(process.env.PORT || 8080, () => console.log(`listening on ${server.address().port}`));
