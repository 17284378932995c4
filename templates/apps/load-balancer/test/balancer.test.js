import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';
import test from 'node:test';

// backend is a small app that says its name.
async function backend(t, name, answer = (req, res) => res.end(`${name} ${req.headers.host}`)) {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => (server.close(), server.closeAllConnections()));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

// balancer starts the program as a machine does, and returns its address.
async function balancer(t, env, begun = () => {}) {
  const program = spawn(process.execPath, ['server.js'], { env: { PATH: process.env.PATH, PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    program.kill();
    assert.equal((await once(program, 'exit'))[0], 0, 'SIGTERM ends it');
  });
  for await (const line of createInterface(program.stdout)) {
    const { msg, port } = JSON.parse(line);
    if (msg !== 'listening') continue;
    program.stdout.resume();
    begun(() => program.kill());
    return (path = '/', options = {}) => fetch(`http://127.0.0.1:${port}${path}`, options);
  }
}

const text = async (answer) => (await answer).text();

test('two backends take turns, and one that dies is not missed', async (t) => {
  const [one, two] = [await backend(t, 'one'), await backend(t, 'two')];
  const get = await balancer(t, { BACKENDS: `${one.url},${two.url}` });
  const first = [];
  for (let i = 0; i < 4; i++) first.push((await text(get())).split(' ')[0]);
  assert.equal(first.filter((name) => name === 'one').length, 2, `${first}`);
  assert.notEqual(first[0], first[1]);
  one.server.close();
  one.server.closeAllConnections();
  for (let i = 0; i < 6; i++) assert.match(await text(get()), /^two/);
});

test('a backend that says 503 is passed over, if nothing was changed', async (t) => {
  const ill = await backend(t, 'ill', (req, res) => res.writeHead(503).end('ill'));
  const well = await backend(t, 'well', (req, res) => (req.resume(), res.end('well')));
  const get = await balancer(t, { BACKENDS: `${ill.url} ${well.url}` });
  for (let i = 0; i < 4; i++) assert.equal(await text(get()), 'well');
  assert.equal(await text(get('/', { method: 'POST', body: 'x' })), 'well', 'it is known by now');
});

test('the connection goes to via, the request to the name', async (t) => {
  const door = await backend(t, 'door');
  const get = await balancer(t, { BACKENDS: 'http://one.localhost:8080', BACKENDS_VIA: door.url });
  assert.equal(await text(get()), 'door one.localhost:8080');
});

test('a POST and its answer arrive as they are', async (t) => {
  const echo = await backend(t, 'echo', (req, res) => {
    res.writeHead(201, 'Made', [['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'], ['X-For', req.headers['x-forwarded-for'] ?? '']].flat());
    req.pipe(res);
  });
  const get = await balancer(t, { BACKENDS: echo.url });
  const answer = await get('/a%2Fb?c', { method: 'POST', body: 'x'.repeat(100_000), headers: { 'x-forwarded-for': '192.0.2.1' } });
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2']);
  assert.match(answer.headers.get('x-for'), /^192\.0\.2\.1,/);
  assert.equal((await answer.text()).length, 100_000);
});

test('odd targets end nothing', async (t) => {
  const echo = await backend(t, 'echo', (req, res) => res.end(req.url));
  const get = await balancer(t, { BACKENDS: echo.url });
  const { port } = new URL((await get()).url);
  for (const path of ['//', '/%', '/-', '/a|b', '/-/%2e%2e/x']) {
    const [answer] = await once(http.get({ port, path, host: '127.0.0.1', agent: false }), 'response');
    const said = (await answer.toArray()).join('');
    if (path.startsWith('/-/')) assert.equal(answer.statusCode, 404);
    else assert.equal(said, path);
  }
});

test('least connections: who has a long request gets no other', async (t) => {
  let free;
  const slow = await backend(t, 'slow', (req, res) => (req.url === '/long' ? (free = res) : res.end('slow')));
  const get = await balancer(t, { BACKENDS: slow.url, BALANCE: 'least-connections', ADMIN_TOKEN: 't' });
  const long = get('/long');
  const admin = { headers: { authorization: 'Bearer t' } };
  let active = 0;
  while (active !== 1) active = (await (await get('/-/backends', admin)).json()).backends[0].active;
  free.end('long');
  assert.equal(await text(long), 'long');
  assert.equal((await (await get('/-/backends', admin)).json()).backends[0].active, 0);
});

test('a request that runs when SIGTERM comes is answered', async (t) => {
  let free;
  const slow = await backend(t, 'slow', (req, res) => (req.url === '/long' ? (free = res) : res.end('slow')));
  let kill;
  const get = await balancer(t, { BACKENDS: slow.url, ADMIN_TOKEN: 't' }, (end) => (kill = end));
  const long = get('/long', { headers: { connection: 'close' } });
  while (!free) await text(get());
  kill();
  free.end('long');
  assert.equal(await text(long), 'long');
});

test('without backends it is healthy, and says what is missing', async (t) => {
  const get = await balancer(t, { BACKENDS: '' }); // whatever the file has
  assert.equal((await get('/-/health')).status, 200);
  const answer = await get('/');
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /set BACKENDS/);
  assert.equal((await get('/-/metrics')).status, 404, 'no token is set');
});

test('metrics and a profile, for who has the token', async (t) => {
  const one = await backend(t, 'one');
  const get = await balancer(t, { BACKENDS: one.url, ADMIN_TOKEN: 'secret' });
  await text(get());
  assert.equal((await get('/-/metrics', { headers: { authorization: 'Bearer wrong' } })).status, 404);
  const headers = { authorization: 'Bearer secret' };
  assert.match(await text(get('/-/metrics', { headers })), /balancer_requests_total\{backend="[^"]+",status="200"\} 1/);
  const profile = await (await get('/-/profile?seconds=0.2', { headers })).json();
  assert.ok(profile.nodes.length > 0);
});
