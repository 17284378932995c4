// The worker listens nowhere. It does one job after the other, with a pause of EVERY seconds between them.
const { setTimeout: wait } = require('node:timers/promises');
const { primes } = require('./job.js');

const pause = Number(process.env.EVERY || 10) * 1000;
const stop = new AbortController();

// A stop is asked for with SIGTERM: the job that runs is finished, and no other begins.
process.on('SIGTERM', () => stop.abort());

async function work() {
  for (let n = 1000; !stop.signal.aborted; n = Math.min(n * 2, 1_000_000)) {
    console.log(`there are ${primes(n)} primes below ${n}`);
    await wait(pause, undefined, { signal: stop.signal }).catch(() => {});
  }
  console.log('stopped');
}

work();
