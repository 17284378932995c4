import { build } from './app.js';

const app = build();

// PORT is where the front door looks for the app.
await app.listen({ port: Number(process.env.PORT ?? 8080), host: '::' });

// A stop is asked for with SIGTERM: finish what runs, then go.
process.once('SIGTERM', () => app.close());
