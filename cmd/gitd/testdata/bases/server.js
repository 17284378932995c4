const fs = require('node:fs');

// An app that runs on one version of Node only, as one does that patches what is inside of Node.
const only = fs.existsSync('only.txt') ? fs.readFileSync('only.txt', 'utf8').trim() : process.version;
if (process.version !== only) {
  console.error(`this app runs on ${only} only`);
  process.exit(3);
}

require('node:http').createServer((req, res) => res.end(`v${process.env.NODEOS_RELEASE} ${process.version}\n`))
  .listen(process.env.PORT);
