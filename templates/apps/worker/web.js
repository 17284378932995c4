const http = require('node:http');
const { primes } = require('./job.js');

const server = http.createServer((req, res) => {
  res.setHeader('content-type', 'text/plain; charset=utf-8');
  res.end(`Hello from the web process: there are ${primes(1000)} primes below 1000\n`);
});

// PORT is where the front door looks for the app.
server.listen(process.env.PORT || 8080, () => console.log(`listening on ${server.address().port}`));

// A stop is asked for with SIGTERM: finish what runs, then go.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
