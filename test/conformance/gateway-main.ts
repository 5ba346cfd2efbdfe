/**
 * `node test/conformance/gateway-main.ts --port N name=url …`: a gateway in a process of its own. Says where it listens
 * on stdout.
 * @module
 */
import { parseArgs } from 'node:util';
import { announce } from '../fixtures/everything/http/listen.ts';
import { startGateway } from './gateway.ts';

const { values, positionals } = parseArgs({
  options: { port: { type: 'string', default: '0' } },
  allowPositionals: true,
});
const upstreams = Object.fromEntries(
  positionals.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
);
const { gateway, origin } = await startGateway(Number(values.port), upstreams);
await announce({ url: origin, close: () => gateway.close() });
