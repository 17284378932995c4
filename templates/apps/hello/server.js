const http = require('node:http');
const os = require('node:os');

const started = Date.now();

const server = http.createServer((req, res) => {
  res.setHeader('content-type', 'text/plain; charset=utf-8');
  res.end(`Hello from NodeOS
release ${process.env.NODEOS_RELEASE}, node ${process.version}, kernel ${os.release()}, up ${Math.round((Date.now() - started) / 1000)} s
`);
});

// PORT is where the front door looks for the app.
server.listen(process.env.PORT || 8080, () => console.log(`listening on ${server.address().port}`));

// A stop is asked for with SIGTERM: finish what runs, then go.
process.on('SIGTERM', () => server.close(() => process.exit(0)));

module.exports = server; // for the test
