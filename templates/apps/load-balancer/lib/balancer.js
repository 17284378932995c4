// The way of one request: pick a backend, pass the request on, and ask another one if it was of no use.
import { pipeline, Readable } from 'node:stream';
import httpProxy from 'http-proxy-3';

// What a balancer or an app in front of a dead one answers. Nothing has happened there yet.
const deadStatus = new Set([502, 503, 504]);
const ofThisConnection = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

const wholeTimeout = 60_000; // for a backend to begin its answer, ms
const connectTimeout = 2_000;

export class Balancer {
  #proxy = httpProxy.createProxyServer({ selfHandleResponse: true, proxyTimeout: wholeTimeout, connectTimeout });
  #attempts = new WeakMap(); // by response: what to do with the backend's answer

  constructor(pool, log, watch) {
    Object.assign(this, { pool, log, watch });
    this.#proxy.on('proxyRes', (incoming, _, res) => this.#attempts.get(res)?.(incoming));
    this.#proxy.on('error', (err, _, res) => {
      log.warn({ err: err.message }, 'connection failed');
      res.destroy?.();
    });
  }

  async request(req, res) {
    const begun = performance.now();
    const tried = new Set();
    let backend;
    let again = true;
    while (again && !res.destroyed) {
      backend = this.pool.pick(tried);
      if (!backend) {
        refuse(res, 503, tried.size ? 'no backend answers' : 'there are no backends: set BACKENDS, or list them in config/backends.json');
        break;
      }
      tried.add(backend);
      again = await this.#attempt(backend, req, res, tried.size === 1);
    }
    const seconds = (performance.now() - begun) / 1000;
    this.watch.request(backend?.name ?? '', res.statusCode, seconds);
    this.log.info({ method: req.method, url: req.url, status: res.statusCode, backend: backend?.name, tried: tried.size, ms: Math.round(seconds * 1000), aborted: !res.writableFinished || undefined }, 'request');
  }

  // #attempt passes a request to one backend. It is true if another backend should be asked.
  #attempt(backend, req, res, first) {
    backend.active++;
    return new Promise((resolve) => {
      const end = (again) => {
        this.#attempts.delete(res);
        resolve(again);
      };
      res.once('close', () => end(false));
      this.#attempts.set(res, (incoming) => {
        const dead = deadStatus.has(incoming.statusCode);
        if (dead) this.pool.mark(backend, `${req.method} → ${incoming.statusCode}`);
        if (dead && repeatable(req) && this.pool.backends.length > 1) {
          incoming.destroy();
          end(true);
          return;
        }
        try {
          answer(res, incoming);
        } catch (err) {
          incoming.destroy();
          refuse(res, 502, `the backend's answer cannot be passed on: ${err.message}`);
        }
      });
      // A request without a body is sent again as it was; its stream has ended.
      const buffer = repeatable(req) ? Readable.from([]) : undefined;
      const options = { target: backend.target, agent: backend.agent, headers: { host: backend.host }, xfwd: first, buffer };
      this.#proxy.web(req, res, options, (err) => {
        if (!this.#attempts.has(res)) return; // its answer is not waited for any more
        this.pool.mark(backend, err.message);
        if (repeatable(req) && !res.headersSent) end(true);
        else refuse(res, 502, 'the backend did not answer');
      });
    }).finally(() => backend.active--);
  }

  // upgrade passes a WebSocket on. It cannot be sent again: the client has begun to speak.
  upgrade(req, socket, head) {
    const backend = this.pool.pick();
    if (!backend) return socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
    backend.active++;
    socket.once('close', () => backend.active--);
    this.log.info({ method: req.method, url: req.url, backend: backend.name }, 'upgrade');
    this.#proxy.ws(req, socket, head, { target: backend.target, headers: { host: backend.host }, xfwd: true });
  }
}

// repeatable: it asks for something, and changes nothing. Nobody knows what became of another one.
const repeatable = (req) =>
  ['GET', 'HEAD', 'OPTIONS'].includes(req.method) && !req.headers['transfer-encoding'] && !Number(req.headers['content-length'] ?? 0);

// answer passes a backend's answer on, header by header, as it was spelled.
function answer(res, incoming) {
  const headers = [];
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    if (!ofThisConnection.has(incoming.rawHeaders[i].toLowerCase())) headers.push(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
  }
  res.writeHead(incoming.statusCode, incoming.statusMessage, headers);
  pipeline(incoming, res, () => {}); // who closed first is seen at both ends
}

export function refuse(res, status, text) {
  if (res.headersSent) return res.destroy();
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(`${text}\n`);
}
