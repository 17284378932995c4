const http = require('node:http');
const fs = require('node:fs');

const mark = fs.readFileSync('mark.txt', 'utf8').trim();
const { NODEOS_RELEASE: release, NODEOS_COMMIT: commit } = process.env;

const server = http.createServer((req, res) => {
  const answer = () => res.end(JSON.stringify({ release, commit, mark }) + '\n');
  // /slow?SECONDS holds the old machine of a swap in its drain.
  const [path, seconds] = req.url.split('?');
  if (path === '/slow') setTimeout(answer, 1000 * seconds);
  else answer();
});
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
