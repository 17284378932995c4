const crypto = require('node:crypto');
const http = require('node:http');
const express = require('express');
const { WebSocketServer } = require('ws');

const app = express();
const release = process.env.NODEOS_RELEASE;

app.get('/', (req, res) => res.send(release + '\n'));

// An answer that takes a while: one half of it comes at once, the other half after MS milliseconds.
app.get('/slow', (req, res) => {
  res.write(release + ' begins\n');
  setTimeout(() => res.end(release + ' ends\n'), Number(req.query.ms));
});

// The answer to an upload is its SHA-256.
app.post('/upload', (req, res) => {
  const hash = crypto.createHash('sha256');
  req.on('data', (part) => hash.update(part));
  req.on('end', () => res.send(hash.digest('hex') + '\n'));
});

// N events, one every MS milliseconds.
app.get('/events', (req, res) => {
  let left = Number(req.query.n);
  res.set('content-type', 'text/event-stream');
  const timer = setInterval(() => {
    res.write(`data: ${left}\n\n`);
    if (--left === 0) {
      clearInterval(timer);
      res.end();
    }
  }, Number(req.query.ms));
});

const server = http.createServer(app);
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (text) => socket.send(String(text)));
});
server.listen(process.env.PORT, () => console.log(`listening on ${process.env.PORT}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
