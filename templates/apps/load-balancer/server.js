import http from 'node:http';
import pino from 'pino';
import { Balancer } from './lib/balancer.js';
import { ConfigError, load } from './lib/config.js';
import { own } from './lib/own.js';
import { Pool } from './lib/pool.js';
import { Watch } from './lib/watch.js';

const log = pino({ level: process.env.LOG_LEVEL || 'info', base: null });

// config ends the program with one line if something in it is wrong.
function config() {
  try {
    return load(new URL('config/backends.json', import.meta.url).pathname, process.env);
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    console.error(err.message);
    process.exit(1);
  }
}

const settings = config();
if (!process.argv.includes('--check')) serve();

function serve() {
  const pool = new Pool(settings, log);
  const watch = new Watch(pool);
  const balancer = new Balancer(pool, log, watch);
  const context = { pool, watch, token: settings.token };

  const server = http.createServer((req, res) => {
    if (!own(req, res, context)) balancer.request(req, res);
  });
  server.on('upgrade', (req, socket, head) => balancer.upgrade(req, socket, head));
  pool.start();
  // PORT is where the front door looks for the app.
  server.listen(process.env.PORT || 8080, () => {
    log.info({ port: server.address().port, balance: settings.balance, backends: settings.backends.map((b) => b.name) }, 'listening');
  });
  // A stop is asked for with SIGTERM: finish what runs, then go.
  process.on('SIGTERM', () => {
    pool.stop();
    server.close(() => process.exit(0));
  });
}
