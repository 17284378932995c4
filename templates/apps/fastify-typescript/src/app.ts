import Fastify, { type FastifyInstance } from 'fastify';

// The schema is checked by Fastify when a request comes, and by TypeScript when the app is compiled.
const helloSchema = {
  querystring: {
    type: 'object',
    properties: { name: { type: 'string', minLength: 1, maxLength: 40, default: 'NodeOS' } },
  },
} as const;

export function build(logger = true): FastifyInstance {
  const app = Fastify({ logger, trustProxy: true }); // the front door says who the client is
  app.get<{ Querystring: { name: string } }>('/', { schema: helloSchema }, async ({ query }) => ({
    hello: query.name,
    release: process.env.NODEOS_RELEASE,
    node: process.version,
  }));
  app.get('/healthz', async () => ({ ok: true }));
  return app;
}
