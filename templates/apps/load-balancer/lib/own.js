// The paths that the balancer answers itself, all below /-/.
import { createHash, timingSafeEqual } from 'node:crypto';
import { refuse } from './balancer.js';

const hash = (text) => createHash('sha256').update(text).digest();

// own answers a request for the balancer itself. It is false if the request is for a backend.
export function own(req, res, { pool, watch, token }) {
  if (!req.url.startsWith('/-/')) return false;
  const url = new URL(req.url, 'http://balancer');
  // The balancer works without a backend, and a push of it must not wait for one.
  if (url.pathname === '/-/health') return json(res, { ok: true });
  const bearer = hash(`Bearer ${token}`);
  if (!token || !timingSafeEqual(bearer, hash(req.headers.authorization ?? ''))) {
    refuse(res, 404, 'there is nothing here; /-/backends, /-/metrics and /-/profile want the token that is in ADMIN_TOKEN');
    return true;
  }
  const page = pages[url.pathname];
  if (!page) refuse(res, 404, `there is nothing here; there are ${Object.keys(pages).join(', ')}`);
  else page(res, { pool, watch, url }).catch((err) => refuse(res, 500, err.message));
  return true;
}

const pages = {
  '/-/backends': async (res, { pool }) =>
    json(res, { balance: pool.balance, backends: pool.backends.map(({ name, healthy, why, active }) => ({ name, healthy, why, active })) }),
  '/-/metrics': async (res, { watch: { registry } }) => {
    const text = await registry.metrics();
    res.setHeader('content-type', registry.contentType);
    res.end(text);
  },
  '/-/profile': async (res, { watch, url }) => {
    const seconds = Number(url.searchParams.get('seconds') ?? 5);
    if (!(seconds > 0 && seconds <= 60)) return refuse(res, 400, '?seconds= is more than 0, and 60 at most');
    const profile = await watch.profile(seconds);
    if (!profile) return refuse(res, 409, 'a profile is being taken already');
    res.setHeader('content-disposition', 'attachment; filename="balancer.cpuprofile"');
    return json(res, profile);
  },
};

function json(res, value) {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify(value));
  return true;
}
