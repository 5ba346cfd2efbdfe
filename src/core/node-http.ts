/**
 * What the gateway uses of `node:http`. An ES import of it reads everything that it exports, `WebSocket` too, for which Node
 * loads its own `fetch` (measured: 60 ms of every start).
 * @module
 */
const http = process.getBuiltinModule('node:http');

export const { Agent, createServer, request, validateHeaderName, validateHeaderValue } = http;
