const express = require('express');

const app = express();

app.get('/', (req, res) => {
  res.type('text').send(`Hello from Express on NodeOS
release ${process.env.NODEOS_RELEASE}, node ${process.version}
`);
});

// PORT is where the front door looks for the app.
const server = app.listen(process.env.PORT || 8080, () => console.log(`listening on ${server.address().port}`));

// A stop is asked for with SIGTERM: finish what runs, then go.
process.on('SIGTERM', () => server.close(() => process.exit(0)));

module.exports = server; // for the test
