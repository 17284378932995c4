// What an operator sees: metrics for Prometheus, the state of the backends, and a profile of the processor.
import { Session } from 'node:inspector/promises';
import { setTimeout as wait } from 'node:timers/promises';
import prom from 'prom-client';

export class Watch {
  registry = new prom.Registry();
  #profiling = false;

  constructor(pool) {
    prom.collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    this.requests = new prom.Counter({ name: 'balancer_requests_total', help: 'Requests, by who answered.', labelNames: ['backend', 'status'], registers });
    this.seconds = new prom.Histogram({ name: 'balancer_request_seconds', help: 'How long a request took.', labelNames: ['backend'], registers });
    const gauge = (name, help, value) => new prom.Gauge({
      name, help, labelNames: ['backend'], registers,
      collect() {
        for (const b of pool.backends) this.set({ backend: b.name }, Number(value(b)));
      },
    });
    gauge('balancer_backend_up', 'Whether a backend is healthy.', (b) => b.healthy);
    gauge('balancer_backend_active', 'Requests that a backend has now.', (b) => b.active);
  }

  request(backend, status, seconds) {
    this.requests.inc({ backend, status });
    this.seconds.observe({ backend }, seconds);
  }

  // profile is what V8 did for some seconds: a .cpuprofile, which Chrome's developer tools and VS Code open.
  async profile(seconds) {
    if (this.#profiling) return undefined; // one at a time
    this.#profiling = true;
    const session = new Session();
    try {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
      await wait(seconds * 1000);
      return (await session.post('Profiler.stop')).profile;
    } finally {
      session.disconnect();
      this.#profiling = false;
    }
  }
}
