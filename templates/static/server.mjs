// Serves a folder of files: node server.mjs FOLDER [--spa]. With --spa, a page that is no file gets index.html, because
// the app's own router draws it.
//
// The folder is part of a read-only image: nothing in it changes while this runs. All files of an image have one date,
// so caches are told about contents (ETag), and never about times.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const [folder = '.', ...flags] = process.argv.slice(2);
const root = await realpath(folder);
const spa = flags.includes('--spa');

const types = {
  '.avif': 'image/avif', '.css': 'text/css', '.csv': 'text/csv', '.gif': 'image/gif', '.htm': 'text/html',
  '.html': 'text/html', '.ico': 'image/x-icon', '.jpeg': 'image/jpeg', '.jpg': 'image/jpeg', '.js': 'text/javascript',
  '.json': 'application/json', '.map': 'application/json', '.md': 'text/markdown', '.mjs': 'text/javascript',
  '.mp3': 'audio/mpeg', '.mp4': 'video/mp4', '.ogg': 'audio/ogg', '.otf': 'font/otf', '.pdf': 'application/pdf',
  '.png': 'image/png', '.rss': 'application/rss+xml', '.svg': 'image/svg+xml', '.ttf': 'font/ttf', '.txt': 'text/plain',
  '.wasm': 'application/wasm', '.wav': 'audio/wav', '.webm': 'video/webm', '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp', '.woff': 'font/woff', '.woff2': 'font/woff2', '.xml': 'application/xml', '.zip': 'application/zip',
};
const isText = (type) => /^text\/|json|javascript|xml|wasm$/.test(type);
// Bundlers put a hash of the contents into the names of these files, so a name never gets other contents.
const hashed = /(^|\/)(_app\/immutable|_astro|_next\/static|_nuxt|assets|build|chunks|js|css|media|static)\/(.*[/.-])?[\w-]{8,}\.\w+(\.map)?$/;

const kept = new Map(); // path → ETag

async function etagOf(path) {
  let etag = kept.get(path);
  if (!etag) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    etag = hash.digest('base64url').slice(0, 22);
    kept.set(path, etag);
  }
  return etag;
}

// fileAt returns the file at a path below the root, or undefined. A link that leaves the root is not followed.
async function fileAt(path) {
  try {
    const real = await realpath(join(root, path));
    if (real !== root && !real.startsWith(root + sep)) return undefined;
    const info = await stat(real);
    return { path: real, size: info.size, folder: info.isDirectory() };
  } catch {
    return undefined; // there is none, or its name is none
  }
}

// isHidden: paths that no page has, such as /.git/config.
const isHidden = (path) => path.includes('\0') || path.split('/').some((p) => p.startsWith('.') && p !== '.well-known');

// find returns what a URL's path names: a file, or where to go instead.
async function find(path) {
  const found = await fileAt(path);
  if (found && !found.folder) return { file: found };
  const page = !path.endsWith('/') && (await fileAt(path + '.html'));
  if (page && !page.folder) return { file: page };
  const index = found && (await fileAt(join(path, 'index.html')));
  if (index && !index.folder) return path.endsWith('/') ? { file: index } : { moved: true };
  return {};
}

function plain(res, status, text, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers }).end(text + '\n');
}

// range reads a Range header of one part. undefined: send all of it; null: it names nothing of the file.
function range(header, size) {
  const m = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!m || (m[1] === '' && m[2] === '')) return undefined;
  const start = m[1] === '' ? Math.max(size - Number(m[2]), 0) : Number(m[1]);
  const end = m[1] === '' || m[2] === '' ? size - 1 : Math.min(Number(m[2]), size - 1);
  return start > end || start >= size ? null : { start, end };
}

async function send(req, res, file, status, urlPath) {
  const type = types[extname(file.path).toLowerCase()] ?? 'application/octet-stream';
  const gzip = isText(type) && file.size >= 1024 && /\bgzip\b/.test(req.headers['accept-encoding'] ?? '');
  const etag = `"${await etagOf(file.path)}${gzip ? '-gzip' : ''}"`;
  const headers = {
    'Content-Type': isText(type) && !type.endsWith('wasm') ? type + '; charset=utf-8' : type,
    'Cache-Control': status === 200 && hashed.test(urlPath) ? 'public, max-age=31536000, immutable' : 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    ETag: etag,
  };
  if (isText(type)) headers.Vary = 'Accept-Encoding';
  const asked = req.headers['if-none-match']?.split(',').map((e) => e.trim().replace(/^W\//, '')) ?? [];
  if (status === 200 && (asked.includes(etag) || asked.includes('*'))) {
    res.writeHead(304, headers).end();
    return;
  }
  const fresh = !req.headers['if-range'] || req.headers['if-range'] === etag;
  const part = status === 200 && !gzip && fresh ? range(req.headers.range, file.size) : undefined;
  if (part === null) {
    plain(res, 416, 'No such part', { 'Content-Range': `bytes */${file.size}` });
    return;
  }
  if (gzip) headers['Content-Encoding'] = 'gzip';
  else headers['Accept-Ranges'] = 'bytes';
  if (part) headers['Content-Range'] = `bytes ${part.start}-${part.end}/${file.size}`;
  if (!gzip) headers['Content-Length'] = part ? part.end - part.start + 1 : file.size;
  res.writeHead(part ? 206 : status, headers);
  if (req.method === 'HEAD') res.end();
  else await pipeline(createReadStream(file.path, part), ...(gzip ? [createGzip()] : []), res);
}

async function answer(req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    plain(res, 405, 'Only GET and HEAD', { Allow: 'GET, HEAD' });
    return;
  }
  const [raw, query] = req.url.split(/\?(.*)/s);
  let path;
  try {
    path = decodeURIComponent(raw);
  } catch {
    plain(res, 400, 'This is no path');
    return;
  }
  if (isHidden(path)) {
    plain(res, 404, 'There is no such page');
    return;
  }
  const { file, moved } = await find(path);
  if (moved) {
    // "//host" would lead to another server.
    const to = raw.replace(/^\/+/, '/') + '/' + (query === undefined ? '' : '?' + query);
    plain(res, 308, 'See ' + to, { Location: to });
    return;
  }
  if (file) {
    await send(req, res, file, 200, path);
    return;
  }
  const wantsPage = spa && extname(path) === '' && /text\/html|\*\/\*/.test(req.headers.accept ?? '*/*');
  const page = await fileAt(wantsPage ? 'index.html' : '404.html');
  if (page && !page.folder) await send(req, res, page, wantsPage ? 200 : 404, '');
  else plain(res, 404, 'There is no such page');
}

const server = createServer((req, res) => {
  answer(req, res).catch((err) => {
    if (!res.headersSent) plain(res, 500, 'This page cannot be read');
    else res.destroy(); // the client is gone, or the file cannot be read to its end
    if (err.code !== 'ERR_STREAM_PREMATURE_CLOSE') console.error(err);
  });
});
server.listen(process.env.PORT ?? 8080, () => console.log(`serving ${folder} on port ${server.address().port}`));
process.on('SIGTERM', () => server.close(() => process.exit()));
