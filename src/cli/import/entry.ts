/**
 * One server of another program's file as an entry of `servers.json`. Each key is taken, respelled, passed over because it says nothing
 * about the server, or reported with the reason.
 * @module
 */
import type { JsonPath } from '../../config/jsonc.ts';
import { IGNORED_SERVER_KEYS } from '../../config/schema/foreign.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Respeller, respeller } from './references.ts';
import type { Format, Remarks, Written } from './types.ts';

interface Making {
  readonly made: JsonObject;
  readonly path: JsonPath;
  readonly format: Format;
  readonly remarks: Remarks;
  readonly respell: Respeller;
}

type Rule = (value: unknown, making: Making, key: string) => void;

/** Undefined where the server cannot be had here; the reason is reported. */
export function importEntry(written: Written, format: Format, remarks: Remarks): JsonObject | undefined {
  const { entry, path } = written;
  const kind = String(entry.type ?? '').toLowerCase();
  if (kind === 'openapi' || isObject(entry.openapi)) {
    remarks.lost(path, 'an OpenAPI document is no server that can be connected');
    return undefined;
  }
  if (/^(?:ws|websocket)$/.test(kind)) {
    remarks.lost(path, 'WebSocket is no transport of MCP');
    return undefined;
  }
  const making: Making = { made: {}, path, format, remarks, respell: respeller(written, format, remarks) };
  for (const [key, value] of Object.entries(entry)) {
    const rule = Object.hasOwn(RULES, key) ? RULES[key] : undefined;
    if (rule) {
      // Null stands for nothing in every one of these files.
      if (value !== null && value !== undefined) rule(value, making, key);
    } else if (!Object.hasOwn(IGNORED_SERVER_KEYS, key)) {
      remarks.notTaken([...path, key], 'there is no such setting here');
    } else if (IGNORED_SERVER_KEYS[key] !== undefined) {
      remarks.notTaken([...path, key], IGNORED_SERVER_KEYS[key]);
    }
  }
  if (making.made.command === undefined && making.made.url === undefined) {
    remarks.lost(path, 'it has neither a command nor a url');
    return undefined;
  }
  return inOrder(making.made);
}

const ORDER = ['command', 'args', 'env', 'envFile', 'cwd', 'type', 'url', 'headers'];

/** In the order people write them, without lists and objects that hold nothing. */
const inOrder = (made: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(made)
      .filter(([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0)
      .sort(([one], [other]) => place(one) - place(other)),
  );

const place = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);

/** As it is, with its variables respelled. */
const taken: Rule = (value, { made, respell }, key) => {
  made[key] = respell(value, [key]);
};

const takenAs =
  (name: string): Rule =>
  (value, { made, respell }, key) => {
    made[name] = respell(value, [key]);
  };

const milliseconds =
  (name: string, factor: number): Rule =>
  (value, { made, path, remarks }, key) => {
    if (typeof value !== 'number' || !(value > 0)) {
      remarks.notTaken([...path, key], 'it is no number of milliseconds or seconds');
      return;
    }
    made[name] = Math.min(Math.round(value * factor), 86_400_000);
  };

const notTaken =
  (why: string): Rule =>
  (_value, { path, remarks }, key) =>
    remarks.notTaken([...path, key], why);

const passedOver: Rule = () => {};

const tools =
  (list: 'include' | 'exclude'): Rule =>
  (value, making, key) => {
    if (!Array.isArray(value) || value.some((name) => typeof name !== 'string')) {
      making.remarks.notTaken([...making.path, key], 'it is no list of names');
      return;
    }
    // An empty list of what is allowed means all in these programs.
    if (value.length > 0) addTools(making, list, value as string[]);
  };

function addTools({ made }: Making, list: 'include' | 'exclude', names: readonly string[]): void {
  const own = isObject(made.tools) ? made.tools : {};
  const before = Array.isArray(own[list]) ? own[list] : [];
  // Names, not globs: what a glob would read in another way is written so that it means itself.
  const literal = names.map((name) =>
    name === '*' ? name : name.replaceAll(/[*?[\]{}()!|"\\]/g, (sign) => `[${sign}]`),
  );
  made.tools = { ...own, [list]: [...before, ...literal] };
}

const transport: Rule = (value, { made, path, remarks }, key) => {
  const name = String(value).toLowerCase().replaceAll(/[_-]/g, '');
  if (name === 'stdio' || name === 'std' || name === 'local') return;
  if (name === 'sse') made.type = 'sse';
  else if (name === 'streamablehttp') made.type = 'streamable-http';
  else if (name !== 'http' && name !== 'remote') remarks.notTaken([...path, key], 'there is no such transport here');
};

const environment: Rule = (value, { made, path, format, remarks, respell }, key) => {
  const env: Record<string, unknown> = { ...(isObject(made.env) ? made.env : {}) };
  if (Array.isArray(value)) {
    // 1MCP: "NAME=value", or the name of a variable to pass on.
    for (const item of value) {
      const [name = '', text] = String(item).split(/=(.*)/s);
      env[name] = text === undefined ? `\${${name}}` : respell(text, [key, name]);
    }
  } else if (isObject(value)) {
    for (const [name, text] of Object.entries(value)) {
      const isInherited = format.emptyIsInherited && (text === null || text === '');
      env[name] = isInherited ? `\${${name}}` : respell(text, [key, name]);
    }
  } else {
    remarks.notTaken([...path, key], 'it is neither an object nor a list');
    return;
  }
  made.env = env;
};

const addHeader = ({ made }: Making, name: string, value: unknown): void => {
  made.headers = { ...(isObject(made.headers) ? made.headers : {}), [name]: value };
};

const headers: Rule = (value, making, key) => {
  if (!isObject(value)) return making.remarks.notTaken([...making.path, key], 'it is no object');
  for (const [name, text] of Object.entries(value)) addHeader(making, name, making.respell(text, [key, name]));
};

/** Names of variables that hold the values of headers. */
const headersFromEnvironment: Rule = (value, making, key) => {
  if (!isObject(value)) return making.remarks.notTaken([...making.path, key], 'it is no object');
  for (const [name, variable] of Object.entries(value)) addHeader(making, name, `\${${variable}}`);
};

const passedOn: Rule = (value, { made, path, remarks }, key) => {
  const names = Array.isArray(value) ? value.map((each) => (isObject(each) ? each.name : each)) : [];
  if (names.some((name) => typeof name !== 'string')) {
    return remarks.notTaken([...path, key], 'it is no list of names');
  }
  const env = isObject(made.env) ? made.env : {};
  made.env = { ...Object.fromEntries(names.map((name) => [name, `\${${name}}`])), ...env };
};

/** mcphub: tools by name, each switched on or off, with a description of its own. */
const toolSettings: Rule = (value, making, key) => {
  if (Array.isArray(value)) return tools('include')(value, making, key);
  if (!isObject(value)) return making.remarks.notTaken([...making.path, key], 'it is neither a list nor an object');
  const lists = Object.entries(value).filter(
    ([name, each]) => /^(?:include|exclude)$/.test(name) && Array.isArray(each),
  );
  for (const [list, names] of lists) tools(list as 'include' | 'exclude')(names, making, key);
  if (lists.length > 0) return;
  const off: string[] = [];
  for (const [name, each] of Object.entries(value)) {
    const settings = isObject(each) ? each : {};
    if (settings.enabled === false) off.push(name);
    if (settings.description) making.remarks.notTaken([...making.path, key, name, 'description'], OVERRIDES);
    if (settings.approval_mode) making.remarks.notTaken([...making.path, key, name, 'approval_mode'], APPROVAL);
  }
  if (off.length > 0) addTools(making, 'exclude', off);
};

const APPROVAL = 'approval is the client’s own business; policy has "approve" (docs/policy.md)';
const OVERRIDES = 'descriptions of tools are the server’s own here';
const OAUTH = 'sign-in flows are not run from the file; send credentials with headers';
const RESTART = 'commands that end are always started again, with growing pauses';

/** mcphub: prompts and resources switched on or off. */
const entrySettings: Rule = (value, { path, remarks }, key) => {
  for (const [name, each] of Object.entries(isObject(value) ? value : {})) {
    if (isObject(each) && each.enabled === false) {
      remarks.notTaken([...path, key, name], 'a policy hides it: {"hide": ["<name>"]} (docs/policy.md)');
    }
  }
};

/** mcphub: options of the SDK's requests. */
const requestOptions: Rule = (value, making, key) => {
  if (!isObject(value)) return making.remarks.notTaken([...making.path, key], 'it is no object');
  const inner: Making = { ...making, path: [...making.path, key] };
  for (const [name, each] of Object.entries(value)) {
    if (name === 'timeout') milliseconds('timeoutMs', 1)(each, inner, name);
    else if (name === 'maxTotalTimeout') milliseconds('maxTimeoutMs', 1)(each, inner, name);
    else if (name !== 'resetTimeoutOnProgress' || each === false) {
      inner.remarks.notTaken([...inner.path, name], 'there is no such setting here');
    }
  }
};

const timeout: Rule = (value, making, key) => {
  const { format, path, remarks, made } = making;
  if (format.timeout === undefined) {
    remarks.notTaken([...path, key], 'its unit is not known for sure; write timeoutMs');
  } else if (made.timeoutMs === undefined) {
    milliseconds('timeoutMs', format.timeout === 'seconds' ? 1_000 : 1)(value, making, key);
  }
};

/** Zed writes a command as text or as an object. */
const command: Rule = (value, making, key) => {
  if (!isObject(value)) return taken(value, making, key);
  const { path, args, env } = value;
  if (path !== undefined) takenAs('command')(path, making, key);
  if (args !== undefined) takenAs('args')(args, making, key);
  if (isObject(env)) environment(env, making, 'env');
};

const switched =
  (on: boolean): Rule =>
  (value, { made, path, remarks, respell }, key) => {
    if (value === on || value === String(on)) return;
    if (value === !on || value === String(!on)) made.disabled = true;
    else if (on || String(value).includes('{{') || String(value).includes('{?')) {
      remarks.notTaken([...path, key], 'it depends on who connects');
    } else made.disabled = respell(value, [key]);
  };

const RULES: Readonly<Record<string, Rule>> = {
  command,
  args: taken,
  cwd: taken,
  envFile: taken,
  env: environment,
  env_vars: passedOn,
  url: taken,
  serverUrl: takenAs('url'),
  httpUrl(value, making, key) {
    takenAs('url')(value, making, key);
    making.made.type = 'streamable-http';
  },
  headers,
  http_headers: headers,
  env_http_headers: headersFromEnvironment,
  bearerToken(value, making, key) {
    if (value !== '') addHeader(making, 'Authorization', `Bearer ${making.respell(value, [key])}`);
  },
  bearer_token_env_var: (value, making) => addHeader(making, 'Authorization', `Bearer \${${value}}`),
  type: transport,
  transport,
  transportType: transport,
  disabled: switched(false),
  enabled: switched(true),
  isActive: switched(true),
  includeTools: tools('include'),
  enabledTools: tools('include'),
  enabled_tools: tools('include'),
  excludeTools: tools('exclude'),
  disabledTools: tools('exclude'),
  disabled_tools: tools('exclude'),
  tools: toolSettings,
  prompts: entrySettings,
  resources: entrySettings,
  timeout,
  connectionTimeout: milliseconds('connectTimeoutMs', 1),
  requestTimeout: milliseconds('timeoutMs', 1),
  startup_timeout_sec: milliseconds('connectTimeoutMs', 1_000),
  startup_timeout_ms: milliseconds('connectTimeoutMs', 1),
  tool_timeout_sec: milliseconds('timeoutMs', 1_000),
  options: requestOptions,
  perSessionClient(value, { made }) {
    if (value === true) made.isolation = 'caller';
  },
  auth: notTaken(OAUTH),
  oauth: notTaken(OAUTH),
  oauth_resource: notTaken(OAUTH),
  scopes: notTaken(OAUTH),
  default_tools_approval_mode: notTaken(APPROVAL),
  alwaysAllow: notTaken(APPROVAL),
  autoApprove: notTaken(APPROVAL),
  trust: notTaken(APPROVAL),
  required: notTaken('a server that is away never keeps the others from working'),
  tags: notTaken('grants choose servers by name: "servers" of a grant (docs/policy.md)'),
  toolDescriptionOverrides: notTaken(OVERRIDES),
  instructionOverride: notTaken('instructions are the server’s own here'),
  inheritParentEnv(value, { path, remarks }, key) {
    if (value === true)
      remarks.notTaken([...path, key], `commands get no variables but those in env; write "NAME": "\${NAME}"`);
  },
  envFilter: notTaken('commands get no variables but those in env'),
  restartOnExit(value, { path, remarks }, key) {
    if (value === false) remarks.notTaken([...path, key], RESTART);
  },
  restart: passedOver,
  maxRestarts: notTaken(RESTART),
  restartDelay: notTaken(RESTART),
  stderr: notTaken('what commands write to stderr is in the log at debug'),
  passthroughHeaders: notTaken('headers of clients are never passed on to servers'),
  proxy: notTaken('proxies for commands are not set up here'),
  owner: notTaken('grants say who may use a server (docs/policy.md)'),
  visibility: notTaken('grants say who may use a server (docs/policy.md)'),
  startOnDemand: notTaken('commands are started with the gateway'),
  idleTimeoutMs: notTaken('commands are started with the gateway'),
  enableKeepAlive: passedOver,
  keepAliveInterval: passedOver,
  template: notTaken('"isolation": "caller" gives every client a process of its own'),
  dev: notTaken('sources of a server are not watched'),
  config_source: passedOver,
  source: passedOver,
  settings: notTaken('settings of an editor’s extension are not known here'),
  error_status: passedOver,
  uuid: passedOver,
  created_at: passedOver,
  user_id: passedOver,
};
