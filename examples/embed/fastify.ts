/** The gateway in a Fastify application, below `/gateway`. Run it with `node examples/embed/fastify.ts`. */
import Fastify from 'fastify';
import { startGateway } from './gateway.ts';

const gateway = await startGateway('/gateway');

const app = Fastify();
app.get('/hello', () => 'Hello.');
app.register(
  async (scope) => {
    // The gateway reads request bodies itself, and passes them on byte for byte.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.all('/*', (request, reply) => {
      reply.hijack();
      gateway.handler(request.raw, reply.raw);
    });
  },
  { prefix: '/gateway' },
);

console.log(`${await app.listen({ port: 0, host: '127.0.0.1' })}/gateway/mcp`);
