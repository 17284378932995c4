// A job that takes a while, as web.js and worker.js both can do it: they have the same code and the same config.

// primes counts the prime numbers below n.
exports.primes = (n) => {
  const composite = new Uint8Array(n);
  let count = 0;
  for (let i = 2; i < n; i++) {
    if (composite[i]) continue;
    count++;
    for (let j = i * i; j < n; j += i) composite[j] = 1;
  }
  return count;
};
