/**
 * What servers made with the SDKs of other languages send, line by line of their releases: one row per habit, with the file of
 * the SDK's repository that shows it. `<id>` stands for the id of the request, `<result>` for the result of a tool.
 * @module
 */

/** A response over HTTP. */
export interface Sent {
  status: number;
  type?: 'application/json' | 'text/event-stream' | 'text/plain; charset=utf-8';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** What is written on the session's GET stream before the response. */
  onGetStream?: string;
}

interface Row {
  sdk: string;
  versions: string;
  /** Path in the SDK's repository. */
  source: string;
}

/** How a reply is framed: a call has to get its result. */
export interface Framing extends Row {
  how: string;
  sends: Sent;
}

/** How a session is refused that the server does not know: a new one is opened, and the call runs once, in it. */
export interface Gone extends Row {
  sends: Sent;
}

/** How `server/discover` is answered, by a server that then takes `initialize`: it is a legacy server. */
export interface Probe extends Row {
  sends: Sent;
}

/** How a method is refused that the server does not know: the client gets this error. */
export interface Unknown extends Row {
  sends: Sent;
  code: number;
  message: string;
}

/** Which version is offered instead of 2025-11-25: the session speaks it. */
export interface Version extends Row {
  version: string;
}

/** How a modern server answers `server/discover`: it is spoken to as one, at once. */
export interface Modern extends Row {
  sends: Sent;
}

/** Which capability may have no members, and how `initialize` is refused when it has: the session is opened with less. */
export interface Refusal extends Row {
  strictAbout: 'sampling' | 'elicitation';
  sends: Sent;
}

const JAVA = 'mcp-core/src/main/java/io/modelcontextprotocol/';
const JAVA_OLD = 'mcp/src/main/java/io/modelcontextprotocol/';
const CSHARP = 'src/ModelContextProtocol.AspNetCore/StreamableHttpHandler.cs';
const GO = 'mcp/streamable.go';
const RUBY = 'lib/mcp/server/transports/streamable_http_transport.rb';
const RUST = 'crates/rmcp/src/transport/streamable_http_server/tower.rs';
const RUST_SSE = 'crates/rmcp/src/transport/common/server_side_http.rs';
const SWIFT = 'Sources/MCP/Base/Transports/HTTPServer/StatefulHTTPServerTransport.swift';
const SWIFT_CHECKS = 'Sources/MCP/Base/Transports/HTTPServer/HTTPRequestValidation.swift';
const PHP = 'src/Server/Transport/StreamableHttpTransport.php';
const KOTLIN = 'kotlin-sdk-server/src/commonMain/kotlin/io/modelcontextprotocol/kotlin/sdk/server/';
const TYPESCRIPT = 'packages/server/src/server/streamableHttp.ts';
const PYTHON = 'src/mcp/server/streamable_http.py';

const json = (status: number, body: string, headers?: Sent['headers']): Sent => ({
  status,
  type: 'application/json',
  body,
  ...(headers ? { headers } : {}),
});
const text = (status: number, body: string): Sent => ({ status, type: 'text/plain; charset=utf-8', body });
const stream = (body: string, headers?: Sent['headers'], status = 200): Sent => ({
  status,
  type: 'text/event-stream',
  body,
  ...(headers ? { headers } : {}),
});

const REPLY = '{"jsonrpc":"2.0","id":<id>,"result":<result>}';

/** An exception of Java as Jackson writes it. */
const thrown = (message: string, error = 'null'): string =>
  `{"cause":null,"stackTrace":[{"classLoaderName":"app","methodName":"doPost","fileName":"Server.java","lineNumber":453}],"jsonRpcError":${error},"message":"${message}","suppressed":[],"localizedMessage":"${message}"}`;

export const FRAMINGS: readonly Framing[] = [
  {
    sdk: 'Java',
    versions: '0.12 to 2.0',
    source: `${JAVA}server/transport/HttpServletStreamableServerTransportProvider.java`,
    how: 'an event whose id is that of the session',
    sends: stream(`id: session-1\nevent: message\ndata: ${REPLY}\n\n`),
  },
  {
    sdk: 'Java (stateless)',
    versions: '0.12 to 2.0',
    source: `${JAVA}server/transport/HttpServletStatelessServerTransport.java`,
    how: 'JSON',
    sends: json(200, REPLY),
  },
  {
    sdk: 'Kotlin (streams)',
    versions: '0.9 to 0.14',
    source: `${KOTLIN}StreamableHttpServerTransport.kt`,
    how: 'an event after an event without data, a line break of two characters',
    sends: stream(`data: \r\n\r\ndata: ${REPLY}\r\nevent: message\r\n\r\n`),
  },
  {
    sdk: 'Kotlin (event store)',
    versions: '0.9 to 0.14',
    source: `${KOTLIN}StreamableHttpServerTransport.kt`,
    how: 'an event after one that primes resumption',
    sends: stream(`data: \r\nid: e1\r\nretry: 1000\r\n\r\ndata: ${REPLY}\r\nevent: message\r\nid: e2\r\n\r\n`),
  },
  {
    sdk: 'Kotlin',
    versions: '0.8.4 to 0.14',
    source: `${KOTLIN}KtorServer.kt`,
    how: 'JSON with its members in another order',
    sends: json(200, '{"id":<id>,"result":<result>,"jsonrpc":"2.0"}'),
  },
  {
    sdk: 'C#',
    versions: '0.1.0-preview.10 to 2.2',
    source: CSHARP,
    how: 'a stream that is declared not to be compressed',
    sends: stream(`event: message\ndata: ${REPLY}\n\n`, { 'content-encoding': 'identity' }),
  },
  {
    sdk: 'Go',
    versions: '0.2 to 1.1',
    source: GO,
    how: 'an event with an id',
    sends: stream(`event: message\nid: 1_0\ndata: ${REPLY}\n\n`),
  },
  {
    sdk: 'Go',
    versions: '1.2 to 1.7',
    source: GO,
    how: 'an event without an id',
    sends: stream(`event: message\ndata: ${REPLY}\n\n`),
  },
  {
    sdk: 'Go (event store)',
    versions: '1.2 to 1.7',
    source: GO,
    how: 'an event after one that is called prime and has empty data',
    sends: stream(`event: prime\nid: 1_0\ndata: \n\nevent: message\nid: 1_1\ndata: ${REPLY}\n\n`),
  },
  {
    sdk: 'Go (JSON replies)',
    versions: '0.4 to 1.7',
    source: GO,
    how: 'JSON',
    sends: json(200, REPLY),
  },
  {
    sdk: 'mcp-go',
    versions: '0.30 to 0.33',
    source: 'server/streamable_http.go',
    how: 'a stream with status 202, once there were notifications',
    sends: stream(
      `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\nevent: message\ndata: ${REPLY}\n\n`,
      undefined,
      202,
    ),
  },
  {
    sdk: 'mcp-go',
    versions: '0.30 to 0.50',
    source: 'server/streamable_http.go',
    how: 'JSON with a line break at its end',
    sends: json(200, `${REPLY}\n`),
  },
  {
    sdk: 'Rust',
    versions: '0.2 to 0.12',
    source: RUST_SSE,
    how: 'an event without a name, after a comment without text',
    sends: stream(`:\n\ndata: ${REPLY}\nid: 0/1\n\n`),
  },
  {
    sdk: 'Rust',
    versions: '0.13 to 3.1',
    source: RUST_SSE,
    how: 'an event after one that primes resumption and has no space in its empty data',
    sends: stream(`data:\nid: 0/0\nretry: 3000\n\ndata: ${REPLY}\nid: 1/0\n\n`),
  },
  {
    sdk: 'Ruby',
    versions: '0.2 to 0.7',
    source: RUBY,
    how: 'an event on the GET stream, and JSON that is no JSON-RPC',
    sends: { ...json(200, '{"accepted":true}'), onGetStream: `data: ${REPLY}\n\n` },
  },
  {
    sdk: 'Ruby',
    versions: '0.8 to 0.10',
    source: RUBY,
    how: 'an event on the GET stream, and status 202',
    sends: { status: 202, onGetStream: `data: ${REPLY}\n\n` },
  },
  {
    sdk: 'Ruby',
    versions: '0.11 to 1.3',
    source: RUBY,
    how: 'an event without a name',
    sends: stream(`data: ${REPLY}\n\n`),
  },
  {
    sdk: 'Swift',
    versions: '0.11 and 0.12',
    source: SWIFT,
    how: 'an event after one that primes resumption',
    sends: stream(`id: a_1\ndata: \n\nid: a_2\nevent: message\ndata: ${REPLY}\n\n`),
  },
  {
    sdk: 'PHP',
    versions: '0.1 to 0.7',
    source: PHP,
    how: 'a stream, once there were notifications',
    sends: stream(
      `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":0,"progress":1}}\n\nevent: message\ndata: ${REPLY}\n\n`,
    ),
  },
  {
    sdk: 'PHP',
    versions: '0.1 to 0.7',
    source: PHP,
    how: 'a list of what there is to say',
    sends: json(
      200,
      `[{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}},${REPLY}]`,
    ),
  },
  {
    sdk: 'Python',
    versions: '1.8 to 1.29',
    source: PYTHON,
    how: 'an event between comments, with line breaks of two characters',
    sends: stream(`: ping - 2026-01-01 00:00:00.000000+00:00\r\n\r\nevent: message\r\ndata: ${REPLY}\r\n\r\n`),
  },
  {
    sdk: 'Python (event store)',
    versions: '1.8 to 2.0',
    source: PYTHON,
    how: 'an event with an id in front',
    sends: stream(`id: 7\r\nevent: message\r\ndata: ${REPLY}\r\n\r\n`),
  },
];

export const GONE: readonly Gone[] = [
  {
    sdk: 'Java',
    versions: '0.12 to 0.18',
    source: `${JAVA_OLD}server/transport/HttpServletStreamableServerTransportProvider.java`,
    sends: json(404, thrown('Session not found: session-1')),
  },
  {
    sdk: 'Java',
    versions: '1.0 to 2.0',
    source: `${JAVA}server/transport/HttpServletStreamableServerTransportProvider.java`,
    sends: json(
      404,
      thrown('Session not found: session-1', '{"code":-32603,"message":"Session not found: session-1","data":null}'),
    ),
  },
  {
    sdk: 'Kotlin',
    versions: '0.8.4 to 0.14',
    source: `${KOTLIN}KtorServer.kt`,
    sends: json(404, '{"error":{"code":-32000,"message":"Session not found"},"jsonrpc":"2.0"}'),
  },
  {
    sdk: 'C#',
    versions: '0.1.0-preview.10 to preview.13',
    source: CSHARP,
    sends: json(404, '{"error":{"code":32001,"message":"Session not found"},"id":"","jsonrpc":"2.0"}'),
  },
  {
    sdk: 'C#',
    versions: '0.1.0-preview.14 to 1.4',
    source: CSHARP,
    sends: json(404, '{"error":{"code":-32001,"message":"Session not found"},"id":"","jsonrpc":"2.0"}'),
  },
  {
    sdk: 'C#',
    versions: '2.0 to 2.2',
    source: CSHARP,
    sends: json(404, '{"error":{"code":-32001,"message":"Session not found"},"id":<id>,"jsonrpc":"2.0"}'),
  },
  { sdk: 'Go', versions: '0.2 to 1.7', source: GO, sends: text(404, 'session not found\n') },
  { sdk: 'Go, while it ends one', versions: '1.1 to 1.7', source: GO, sends: text(404, 'session is closing\n') },
  {
    sdk: 'mcp-go',
    versions: '0.30 to 0.43',
    source: 'server/streamable_http.go',
    sends: text(400, 'Invalid session ID\n'),
  },
  {
    sdk: 'mcp-go',
    versions: '0.44 to 0.50',
    source: 'server/streamable_http.go',
    sends: text(404, 'Invalid session ID\n'),
  },
  {
    sdk: 'Rust',
    versions: '0.2 to 0.16',
    source: RUST,
    sends: { status: 401, body: 'Unauthorized: Session not found' },
  },
  {
    sdk: 'Rust',
    versions: '0.17 to 3.1',
    source: RUST,
    sends: { status: 404, body: 'Not Found: Session not found' },
  },
  { sdk: 'Ruby', versions: '0.2 to 0.8', source: RUBY, sends: json(400, '{"error":"Invalid session ID"}') },
  { sdk: 'Ruby', versions: '0.9 to 0.19', source: RUBY, sends: json(404, '{"error":"Session not found"}') },
  {
    sdk: 'Ruby',
    versions: '0.20 to 1.3',
    source: RUBY,
    sends: json(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}'),
  },
  {
    sdk: 'Swift',
    versions: '0.11 and 0.12',
    source: SWIFT_CHECKS,
    sends: json(
      404,
      '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request: Not Found: Invalid or expired session ID"},"id":null}',
    ),
  },
  {
    sdk: 'Swift, restarted',
    versions: '0.11 and 0.12',
    source: SWIFT_CHECKS,
    sends: json(
      400,
      '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request: Bad Request: Session not initialized"},"id":null}',
    ),
  },
  {
    sdk: 'PHP',
    versions: '0.1 to 0.7',
    source: 'src/Server/Protocol.php',
    sends: json(404, '{"jsonrpc":"2.0","id":"","error":{"code":-32600,"message":"Session not found or has expired."}}'),
  },
  {
    sdk: 'Python',
    versions: '1.8 to 1.25',
    source: 'src/mcp/server/streamable_http_manager.py',
    sends: text(400, 'Bad Request: No valid session ID provided'),
  },
  {
    sdk: 'Python',
    versions: '1.26 to 1.29',
    source: 'src/mcp/server/streamable_http_manager.py',
    sends: json(404, '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}'),
  },
  {
    sdk: 'Python',
    versions: '2.0',
    source: 'src/mcp/server/streamable_http_manager.py',
    sends: json(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}'),
  },
  {
    sdk: 'Python, a session that was ended',
    versions: '1.8 to 1.29',
    source: PYTHON,
    sends: json(
      404,
      '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Not Found: Session has been terminated"}}',
    ),
  },
  {
    sdk: 'Python, a session that is missing',
    versions: '1.8 to 1.29',
    source: PYTHON,
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"}}',
    ),
  },
  {
    sdk: 'TypeScript',
    versions: '1.10 to 2.3',
    source: TYPESCRIPT,
    sends: json(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'),
  },
  {
    sdk: 'TypeScript, restarted',
    versions: '1.10 to 2.3',
    source: TYPESCRIPT,
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}',
    ),
  },
  {
    sdk: 'TypeScript, as its examples are written',
    versions: '1.10 to 1.29',
    source: 'src/examples/server/simpleStreamableHttp.ts',
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}',
    ),
  },
  {
    sdk: 'Java, a session that is missing',
    versions: '0.12 to 2.0',
    source: `${JAVA}server/transport/HttpServletStreamableServerTransportProvider.java`,
    sends: json(400, '{"jsonRpcError":{"code":-32600,"message":"Session ID missing"}}'),
  },
  {
    sdk: 'Kotlin, restarted',
    versions: '0.8.4 to 0.14',
    source: `${KOTLIN}StreamableHttpServerTransport.kt`,
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}',
    ),
  },
  {
    sdk: 'mcp-go, a session that was ended',
    versions: '0.30 to 0.50',
    source: 'server/streamable_http.go',
    sends: text(404, 'Session terminated'),
  },
  {
    sdk: 'Swift, a session that was ended',
    versions: '0.11 and 0.12',
    source: SWIFT,
    sends: json(
      404,
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Not Found: Session has been terminated"}}',
    ),
  },
  // No SDK: what proxies answer that keep the sessions of several servers apart.
  { sdk: 'proxy', versions: 'any', source: 'RFC 9110, 15.5.11', sends: text(410, 'Gone') },
];

/** What looks like {@link GONE} and is not: the call fails with this code, no session is opened, and nothing is sent again. */
export const KEPT: readonly { says: string; sends: Sent; code: string }[] = [
  {
    says: '401 with a challenge',
    sends: { ...text(401, 'Session expired'), headers: { 'www-authenticate': 'Bearer' } },
    code: 'SWB_UPSTREAM_AUTH',
  },
  {
    says: '401 about signing in',
    sends: json(401, '{"message":"Session expired, please sign in"}'),
    code: 'SWB_UPSTREAM_AUTH',
  },
  { says: '401 without a word', sends: text(401, ''), code: 'SWB_UPSTREAM_AUTH' },
  { says: '403 about the session', sends: text(403, 'Session not found'), code: 'SWB_UPSTREAM_AUTH' },
  { says: '400 about the arguments', sends: text(400, 'Missing argument: path'), code: 'SWB_UPSTREAM_HTTP' },
  {
    says: '400 with a page',
    sends: { status: 400, headers: { 'content-type': 'text/html' }, body: '<p>Session not found</p>' },
    code: 'SWB_UPSTREAM_HTTP',
  },
  { says: '500 about the session', sends: text(500, 'Session not found'), code: 'SWB_UPSTREAM_HTTP' },
];

export const PROBES: readonly Probe[] = [
  {
    sdk: 'Java',
    versions: '0.12 to 0.18',
    source: `${JAVA}server/transport/HttpServletStreamableServerTransportProvider.java`,
    sends: json(400, thrown('Session ID required in mcp-session-id header')),
  },
  {
    sdk: 'Kotlin',
    versions: '0.9 to 0.14',
    source: `${KOTLIN}StreamableHttpServerTransport.kt`,
    sends: json(400, '{"error":{"code":-32000,"message":"Bad Request: Server not initialized"},"jsonrpc":"2.0"}'),
  },
  {
    sdk: 'C#',
    versions: '0.9 to 1.4',
    source: CSHARP,
    sends: json(
      400,
      `{"error":{"code":-32000,"message":"Bad Request: The MCP-Protocol-Version header value '2026-07-28' is not supported."},"id":"","jsonrpc":"2.0"}`,
    ),
  },
  {
    sdk: 'Go',
    versions: '0.2',
    source: 'mcp/server.go',
    sends: stream(
      'event: message\nid: 1_0\ndata: {"jsonrpc":"2.0","id":<id>,"error":{"code":0,"message":"method \\"server/discover\\" is invalid during session initialization"}}\n\n',
    ),
  },
  {
    sdk: 'Go',
    versions: '0.4 to 1.1',
    source: GO,
    sends: text(
      400,
      'Bad Request: Unsupported protocol version (supported versions: 2025-06-18,2025-03-26,2024-11-05)\n',
    ),
  },
  {
    sdk: 'Go, with sessions',
    versions: '1.7',
    source: 'mcp/server.go',
    sends: stream(
      'event: message\ndata: {"jsonrpc":"2.0","id":<id>,"result":{"supportedVersions":["2025-11-25","2025-06-18"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}}\n\n',
    ),
  },
  {
    sdk: 'mcp-go',
    versions: '0.30 to 0.43',
    source: 'server/streamable_http.go',
    sends: text(400, 'Invalid session ID\n'),
  },
  {
    sdk: 'Rust',
    versions: '0.2 to 0.17',
    source: RUST_SSE,
    sends: { status: 422, body: 'Unexpected message, expect initialize request' },
  },
  {
    sdk: 'Rust, a request it cannot read',
    versions: '0.2 to 0.17',
    source: RUST_SSE,
    sends: { status: 415, body: 'fail to deserialize request body data did not match any variant' },
  },
  {
    sdk: 'Ruby',
    versions: '0.2 to 0.10',
    source: 'lib/json_rpc_handler.rb',
    sends: json(
      200,
      '{"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method not found","data":"server/discover"}}',
    ),
  },
  { sdk: 'Ruby', versions: '0.11 to 0.19', source: RUBY, sends: json(400, '{"error":"Missing session ID"}') },
  {
    sdk: 'Swift',
    versions: '0.11 and 0.12',
    source: SWIFT_CHECKS,
    sends: json(
      400,
      '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request: Bad Request: Session not initialized"},"id":null}',
    ),
  },
  {
    sdk: 'PHP',
    versions: '0.1 to 0.7',
    source: 'src/Server/Protocol.php',
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":"","error":{"code":-32600,"message":"A valid session id is REQUIRED for non-initialize requests."}}',
    ),
  },
  {
    sdk: 'Python',
    versions: '1.8 to 1.29',
    source: PYTHON,
    sends: json(
      400,
      '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"}}',
      { 'mcp-session-id': 'another' },
    ),
  },
];

export const UNKNOWN: readonly Unknown[] = [
  {
    sdk: 'Java',
    versions: '0.12 to 0.18',
    source: `${JAVA}spec/McpStreamableServerSession.java`,
    sends: stream(
      'id: session-1\nevent: message\ndata: {"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method not found: x/unknown"}}\n\n',
    ),
    code: -32601,
    message: 'Method not found: x/unknown',
  },
  {
    sdk: 'Kotlin',
    versions: '0.8.4 to 0.14',
    source: 'kotlin-sdk-core/src/commonMain/kotlin/io/modelcontextprotocol/kotlin/sdk/shared/Protocol.kt',
    sends: json(
      200,
      '{"id":<id>,"error":{"code":-32601,"message":"Server does not support x/unknown"},"jsonrpc":"2.0"}',
    ),
    code: -32601,
    message: 'Server does not support x/unknown',
  },
  {
    sdk: 'C#',
    versions: '0.4 to 1.4',
    source: 'src/ModelContextProtocol.Core/McpSessionHandler.cs',
    sends: stream(
      `event: message\ndata: {"error":{"code":-32601,"message":"Method 'x/unknown' is not available."},"id":<id>,"jsonrpc":"2.0"}\n\n`,
    ),
    code: -32601,
    message: "Method 'x/unknown' is not available.",
  },
  {
    sdk: 'Go',
    versions: '0.2 to 1.0',
    source: 'internal/jsonrpc2/conn.go',
    sends: stream(
      'event: message\ndata: {"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"method not found: \\"x/unknown\\" unsupported"}}\n\n',
    ),
    code: -32601,
    message: 'method not found: "x/unknown" unsupported',
  },
  {
    sdk: 'mcp-go',
    versions: '0.43',
    source: 'server/request_handler.go',
    sends: json(200, '{"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method x/unknown not found"}}\n'),
    code: -32601,
    message: 'Method x/unknown not found',
  },
  {
    sdk: 'Ruby',
    versions: '0.10',
    source: 'lib/json_rpc_handler.rb',
    sends: {
      status: 202,
      onGetStream:
        'data: {"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method not found","data":"x/unknown"}}\n\n',
    },
    code: -32601,
    message: 'Method not found',
  },
  {
    sdk: 'Swift',
    versions: '0.12',
    source: 'Sources/MCP/Server/Server.swift',
    sends: stream(
      'id: a_2\nevent: message\ndata: {"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method not found: Unknown method: x/unknown"}}\n\n',
    ),
    code: -32601,
    message: 'Method not found: Unknown method: x/unknown',
  },
  {
    sdk: 'PHP, with an empty id',
    versions: '0.1 to 0.7',
    source: 'src/JsonRpc/MessageFactory.php',
    sends: json(200, `{"jsonrpc":"2.0","id":"","error":{"code":-32600,"message":"Unknown method \\"x/unknown\\"."}}`),
    code: -32600,
    message: 'Unknown method "x/unknown".',
  },
  {
    sdk: 'Python',
    versions: '1.8 to 1.29',
    source: 'src/mcp/shared/session.py',
    sends: stream(
      'event: message\r\ndata: {"jsonrpc":"2.0","id":<id>,"error":{"code":-32602,"message":"Invalid request parameters","data":""}}\r\n\r\n',
    ),
    code: -32602,
    message: 'Invalid request parameters',
  },
];

export const VERSIONS: readonly Version[] = [
  { sdk: 'Java', versions: '0.12', source: `${JAVA_OLD}spec/McpSchema.java`, version: '2025-03-26' },
  { sdk: 'Go', versions: '0.2 to 1.1', source: 'mcp/shared.go', version: '2025-06-18' },
  { sdk: 'Ruby', versions: '0.2', source: 'lib/mcp/configuration.rb', version: '2024-11-05' },
  { sdk: 'Python', versions: '1.8', source: 'src/mcp/types.py', version: '2025-03-26' },
];

export const MODERN: readonly Modern[] = [
  {
    sdk: 'C#',
    versions: '2.0 to 2.2',
    source: 'src/ModelContextProtocol.Core/Protocol/DiscoverResult.cs',
    sends: stream(
      'event: message\ndata: {"result":{"supportedVersions":["2024-11-05","2025-03-26","2025-06-18","2025-11-25","2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1"}}},"id":<id>,"jsonrpc":"2.0"}\n\n',
      { 'content-encoding': 'identity' },
    ),
  },
  {
    sdk: 'Go, stateless',
    versions: '1.7',
    source: 'mcp/protocol.go',
    sends: json(
      200,
      '{"jsonrpc":"2.0","id":<id>,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{}}}}',
    ),
  },
  {
    sdk: 'Rust',
    versions: '3.0 and 3.1',
    source: 'crates/rmcp/src/model.rs',
    sends: json(
      200,
      '{"jsonrpc":"2.0","id":<id>,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1"}}}}',
    ),
  },
  {
    sdk: 'Ruby',
    versions: '1.0 to 1.3',
    source: 'lib/mcp/server.rb',
    sends: stream(
      'event: message\ndata: {"jsonrpc":"2.0","id":<id>,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete","ttlMs":0,"cacheScope":"private"}}\n\n',
    ),
  },
  {
    sdk: 'Python',
    versions: '2.0',
    source: 'src/mcp-types/mcp_types/_types.py',
    sends: json(
      200,
      '{"jsonrpc":"2.0","id":<id>,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":false}}}}',
    ),
  },
];

export const REFUSALS: readonly Refusal[] = [
  {
    sdk: 'Java',
    versions: '0.12 to 0.17',
    source: `${JAVA}spec/McpSchema.java`,
    strictAbout: 'elicitation',
    sends: json(400, thrown('Invalid message format: Unrecognized field \\"form\\", not marked as ignorable')),
  },
  {
    sdk: 'Java',
    versions: '0.12 to 1.1',
    source: `${JAVA}spec/McpSchema.java`,
    strictAbout: 'sampling',
    sends: json(400, thrown('Invalid message format: Unrecognized field \\"tools\\", not marked as ignorable')),
  },
];
