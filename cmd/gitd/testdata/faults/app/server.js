const http = require('node:http');
const fs = require('node:fs');
const ws = require('ws'); // so that the layer with the dependencies is read

const mark = fs.readFileSync('mark.txt', 'utf8').trim();
const { NODEOS_RELEASE: release, NODEOS_COMMIT: commit } = process.env;
const answer = JSON.stringify({ release, commit, mark, ws: typeof ws.WebSocketServer });

const server = http.createServer((req, res) => {
  res.flushHeaders();
  // /slow?MS keeps the machine from ending its drain.
  const [path, ms] = req.url.split('?');
  setTimeout(() => res.end(answer), path === '/slow' ? Number(ms) : 0);
});
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
