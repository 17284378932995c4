// What the balancer is told: config/backends.json, and over it the variables of the app. A word that is not understood
// ends the program: a balancer that ignores half of its settings sends requests to the wrong place.
import fs from 'node:fs';

export const balances = ['round-robin', 'least-connections'];

export class ConfigError extends Error {}

const wrong = (what, hint) => {
  throw new ConfigError(`${what}: ${hint}`);
};

// load reads the file and the variables. BACKENDS wins over the file's list, even if it is empty.
export function load(file, env) {
  const text = readFile(file);
  let own;
  try {
    own = JSON.parse(text);
  } catch (err) {
    wrong(file, err.message);
  }
  const { backends = [], balance = balances[0], health = {}, ...rest } = own;
  unknown(file, rest);
  const listed = env.BACKENDS === undefined ? backends : split(env.BACKENDS).map((url) => ({ url, via: env.BACKENDS_VIA || undefined }));
  if (!Array.isArray(listed)) wrong(file, '"backends" is a list of addresses');
  return {
    backends: listed.map((b, i) => backend(b, env.BACKENDS === undefined ? `${file}, backend ${i + 1}` : 'BACKENDS')),
    balance: oneOf(env.BALANCE || balance, env.BALANCE ? 'BALANCE' : `${file}, "balance"`),
    health: checks(health, `${file}, "health"`),
    token: env.ADMIN_TOKEN || '',
  };
}

function readFile(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (err) {
    if (err.code === 'ENOENT') return '{}';
    throw err;
  }
}

const split = (list) => list.split(/[\s,]+/).filter(Boolean);

function unknown(where, rest) {
  const [key] = Object.keys(rest);
  if (key) wrong(where, `"${key}" is not known`);
}

function oneOf(balance, where) {
  return balances.includes(balance) ? balance : wrong(where, `"${balance}" is not known; it is ${balances.join(' or ')}`);
}

// backend reads one entry: an address, or {"url", "via"}. Requests are for url, by their Host header; the connection goes
// to via, if there is one.
function backend(entry, where) {
  const { url, via, ...rest } = typeof entry === 'string' ? { url: entry } : (entry ?? {});
  unknown(where, rest);
  const name = address(url, where);
  return { name: name.origin, host: name.host, target: via ? address(via, `${where}, via`).origin : name.origin };
}

function address(text, where) {
  const url = URL.canParse(text) ? new URL(text) : wrong(where, `"${text}" is no address; http://one.example.org:8080 is one`);
  if (!['http:', 'https:'].includes(url.protocol)) wrong(where, `"${text}" begins with neither http:// nor https://`);
  if (url.pathname !== '/' || url.search || url.hash || url.username) wrong(where, `"${text}" is more than an address: no path, query or user`);
  return url;
}

function checks({ path = '/', interval = 2000, timeout = 2000, ...rest }, where) {
  unknown(where, rest);
  if (typeof path !== 'string' || !path.startsWith('/')) wrong(where, `the path "${path}" does not begin with /`);
  for (const [name, ms] of Object.entries({ interval, timeout })) {
    if (!Number.isInteger(ms) || ms < 100) wrong(where, `"${name}" is milliseconds, 100 at least`);
  }
  return { path, interval, timeout };
}
