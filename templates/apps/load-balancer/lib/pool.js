// The backends, which of them are healthy, and which one is next.
import http from 'node:http';
import https from 'node:https';

// Connections to backends are kept. How long is told by the backend's own Keep-Alive header, which Node heeds.
const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

export class Backend {
  active = 0; // requests that it has now
  healthy = true; // until a check or a request says otherwise
  why = ''; // it is not healthy

  constructor({ name, host, target }) {
    Object.assign(this, { name, host, target, agent: agents[new URL(target).protocol] });
  }
}

export class Pool {
  #turn = 0;
  #timer;
  #stopped = false;

  constructor({ backends, balance, health }, log) {
    this.backends = backends.map((b) => new Backend(b));
    Object.assign(this, { balance, health, log });
  }

  // pick returns the backend for the next request, or undefined. Those that are not healthy are a last resort: a check
  // may be wrong, and an attempt costs less than a refusal.
  pick(tried = new Set()) {
    const left = this.#inTurn().filter((b) => !tried.has(b));
    const healthy = left.filter((b) => b.healthy);
    const from = healthy.length ? healthy : left;
    let next = from[0];
    if (this.balance === 'least-connections') {
      for (const b of from) if (b.active < next.active) next = b;
    }
    if (next) this.#turn = this.backends.indexOf(next) + 1;
    return next;
  }

  // #inTurn lists the backends, beginning with the one after the last that was picked.
  #inTurn() {
    const n = this.backends.length;
    return this.backends.map((_, i) => this.backends[(this.#turn + i) % n]);
  }

  // mark notes what a check or a request has found. why is empty if the backend answered as it should.
  mark(backend, why) {
    const healthy = why === '';
    if (backend.healthy !== healthy) {
      this.log[healthy ? 'info' : 'warn']({ backend: backend.name, why: why || undefined }, healthy ? 'backend is back' : 'backend is out');
    }
    Object.assign(backend, { healthy, why });
  }

  // start checks all backends now and then.
  async start() {
    while (!this.#stopped) {
      await Promise.all(this.backends.map(async (b) => this.mark(b, await this.#check(b))));
      if (this.#stopped) return;
      await new Promise((resolve) => {
        this.#timer = setTimeout(resolve, this.health.interval);
      });
    }
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  // #check asks a backend, and returns what is wrong. A status below 500 is an answer of something that works.
  #check({ target, host, agent }) {
    const { path, timeout } = this.health;
    return new Promise((resolve) => {
      const client = target.startsWith('https:') ? https : http;
      const req = client.get(target + path, { agent, headers: { host }, signal: AbortSignal.timeout(timeout) }, (res) => {
        res.resume();
        res.on('error', (err) => resolve(err.message));
        res.on('end', () => resolve(res.statusCode < 500 ? '' : `GET ${path} → ${res.statusCode}`));
      });
      req.on('error', (err) => resolve(err.name === 'TimeoutError' ? `no answer for ${timeout} ms` : err.message));
    });
  }
}
