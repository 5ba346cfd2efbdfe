/**
 * The files that can be imported: how each is recognised, where its servers stand, and what else it holds.
 *
 * Measured on the sources and documents of: MetaMCP (export, API), mcp-hub, mcphub (`mcp_settings.json`), 1MCP (`mcp.json`), Claude
 * Desktop and Claude Code, Cursor, VS Code, Windsurf, Zed, Gemini CLI, Codex.
 * @module
 */
import type { JsonPath } from '../../config/jsonc.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { Format, Remarks, Written } from './types.ts';

const objectAt = (root: JsonObject, ...path: string[]): JsonObject | undefined => {
  let at: unknown = root;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return isObject(at) ? at : undefined;
};

/** The servers of the map at a path; what is no object is reported. */
function serversAt(root: JsonObject, path: readonly string[], remarks: Remarks): Written[] {
  const map = objectAt(root, ...path) ?? {};
  return Object.entries(map).flatMap(([name, entry]) => {
    const at: JsonPath = [...path, name];
    if (isObject(entry)) return [{ name, path: at, entry }];
    remarks.lost(at, 'it is no object');
    return [];
  });
}

const entries = (root: JsonObject, ...path: string[]): JsonObject[] =>
  Object.values(objectAt(root, ...path) ?? {}).filter(isObject);

const someHas = (list: readonly JsonObject[], ...keys: string[]): boolean =>
  list.some((entry) => keys.some((key) => Object.hasOwn(entry, key)));

const ofMap =
  (...path: string[]) =>
  (root: JsonObject, remarks: Remarks): Written[] =>
    serversAt(root, path, remarks);

/** Reports what stands at the top of the file beside the servers. */
function reportTop(root: JsonObject, reasons: Readonly<Record<string, string>>, remarks: Remarks): void {
  for (const [key, why] of Object.entries(reasons)) {
    const value = root[key];
    const isEmpty = value === undefined || (isObject(value) && Object.keys(value).length === 0);
    if (!isEmpty && !(Array.isArray(value) && value.length === 0)) remarks.notTaken([key], why);
  }
}

const metamcp: Format = {
  id: 'metamcp',
  label: 'MetaMCP',
  fits: (root) => {
    if (Array.isArray(root.data) && someHas(root.data.filter(isObject), 'uuid', 'error_status')) return 3;
    const types = entries(root, 'mcpServers').map(({ type }) => type);
    const isExport = types.some((type) => type === 'STDIO' || type === 'STREAMABLE_HTTP' || type === 'SSE');
    return isExport || someHas(entries(root, 'mcpServers'), 'bearerToken') ? 2 : 0;
  },
  servers(root, remarks) {
    if (!Array.isArray(root.data)) return serversAt(root, ['mcpServers'], remarks);
    return root.data.flatMap((entry, index) => {
      if (!isObject(entry) || typeof entry.name !== 'string') {
        remarks.lost(['data', index], 'it has no name');
        return [];
      }
      return [{ name: entry.name, path: ['data', index], entry }];
    });
  },
};

const mcphub: Format = {
  id: 'mcphub',
  label: 'mcphub',
  fits: (root) => {
    const isSettings = ['systemConfig', 'bearerKeys', 'userConfigs', 'oauthClients'].some((key) =>
      Object.hasOwn(root, key),
    );
    const named = Array.isArray(root.users) || Array.isArray(root.groups);
    const own = someHas(
      entries(root, 'mcpServers'),
      'openapi',
      'perSessionClient',
      'keepAliveInterval',
      'startOnDemand',
    );
    return isSettings || (named && isObject(root.mcpServers)) ? 3 : own ? 2 : 0;
  },
  servers(root, remarks) {
    for (const [index, group] of (Array.isArray(root.groups) ? root.groups : []).entries()) {
      if (!isObject(group)) continue;
      const names = (Array.isArray(group.servers) ? group.servers : []).map((each) =>
        isObject(each) ? each.name : each,
      );
      const flags = names.map((name) => `--server ${name}`).join(' ');
      remarks.notTaken(
        ['groups', index],
        `a grant is what a group was: switchboard grants add ${String(group.name).replaceAll(/[^\w.-]+/g, '-')} ${flags}`,
      );
    }
    reportTop(
      root,
      {
        users: 'there are no accounts; keys are given out with switchboard grants add',
        bearerKeys: 'keys are made anew with switchboard grants add, and only their hashes are kept',
        systemConfig: 'settings of that program; docs/configuration.md has those of the gateway',
        userConfigs: 'settings of that program’s users',
        oauthClients: 'clients are not signed in by the gateway',
        oauthTokens: 'clients are not signed in by the gateway',
        prompts: 'prompts come from servers only',
        resources: 'resources come from servers only',
      },
      remarks,
    );
    return serversAt(root, ['mcpServers'], remarks);
  },
};

const SHARED_BY_ALL = ['env', 'headers', 'oauth', 'timeout', 'connectionTimeout', 'requestTimeout', 'inheritParentEnv'];

const oneMcp: Format = {
  id: '1mcp',
  label: '1MCP',
  timeout: 'milliseconds',
  dollarNames: true,
  fits: (root) => {
    if (['serverDefaults', 'mcpTemplates', 'app'].some((key) => isObject(root[key]))) return 3;
    const list = entries(root, 'mcpServers');
    const own = ['inheritParentEnv', 'envFilter', 'restartOnExit', 'connectionTimeout', 'toolDescriptionOverrides'];
    return someHas(list, ...own) ? 2 : someHas(list, 'tags') ? 1 : 0;
  },
  servers(root, remarks) {
    for (const name of Object.keys(objectAt(root, 'mcpTemplates') ?? {})) {
      remarks.lost(['mcpTemplates', name], 'servers are not made of templates; write one entry for each project');
    }
    reportTop(root, { app: 'settings of that program; docs/configuration.md has those of the gateway' }, remarks);
    const defaults = objectAt(root, 'serverDefaults') ?? {};
    for (const key of Object.keys(defaults).filter((each) => !SHARED_BY_ALL.includes(each))) {
      remarks.notTaken(['serverDefaults', key], 'commands get only what their own entry says');
    }
    return serversAt(root, ['mcpServers'], remarks).map((written) => ({
      ...written,
      entry: withDefaults(written.entry, defaults),
    }));
  },
};

/** What all servers share; what one has itself goes before it, variables of `env` one by one. */
function withDefaults(entry: JsonObject, defaults: JsonObject): JsonObject {
  const isCommand = entry.command !== undefined;
  const shared = Object.entries(defaults).filter(
    ([key]) => SHARED_BY_ALL.includes(key) && key !== (isCommand ? 'headers' : 'env') && key !== 'inheritParentEnv',
  );
  const merged: JsonObject = { ...Object.fromEntries(shared), ...entry };
  if (isCommand && isObject(defaults.env) && isObject(entry.env)) merged.env = { ...defaults.env, ...entry.env };
  return merged;
}

const mcpHub: Format = {
  id: 'mcp-hub',
  label: 'mcp-hub',
  emptyIsInherited: true,
  fits: (root) => {
    const list = [...entries(root, 'mcpServers'), ...entries(root, 'servers')];
    const isOwn = someHas(list, 'config_source', 'custom_instructions') || JSON.stringify(list).includes('${cmd:');
    return isOwn || isObject(root.nativeMCPServers) ? 2 : 0;
  },
  servers(root, remarks) {
    reportTop(
      root,
      { nativeMCPServers: 'servers written in an editor’s own language run in that editor only' },
      remarks,
    );
    // Where a file has both, that program reads `servers`.
    return serversAt(root, [isObject(root.servers) ? 'servers' : 'mcpServers'], remarks);
  },
};

const vscode: Format = {
  id: 'vscode',
  label: 'VS Code',
  fits: (root) => (isObject(objectAt(root, 'mcp')?.servers) ? 2 : isObject(root.servers) ? 1 : 0),
  servers: (root, remarks) => [
    ...serversAt(root, ['servers'], remarks),
    ...serversAt(root, ['mcp', 'servers'], remarks),
  ],
};

const zed: Format = {
  id: 'zed',
  label: 'Zed',
  literal: true,
  timeout: 'seconds',
  fits: (root) => (isObject(root.context_servers) ? 3 : 0),
  servers: (root, remarks) =>
    serversAt(root, ['context_servers'], remarks).filter(({ entry, path }) => {
      const isExtension = entry.command === undefined && entry.url === undefined;
      if (isExtension) remarks.lost(path, 'it belongs to an extension of the editor, which starts it');
      return !isExtension;
    }),
};

const codex: Format = {
  id: 'codex',
  label: 'Codex',
  literal: true,
  fits: (root) => (isObject(root.mcp_servers) ? 3 : 0),
  servers: ofMap('mcp_servers'),
};

const gemini: Format = {
  id: 'gemini',
  label: 'Gemini CLI',
  timeout: 'milliseconds',
  dollarNames: true,
  fits: (root) => {
    const list = entries(root, 'mcpServers');
    return someHas(list, 'httpUrl', 'trust', 'includeTools', 'excludeTools', 'authProviderType') ? 2 : 0;
  },
  servers: ofMap('mcpServers'),
};

const claude: Format = {
  id: 'claude',
  label: 'Claude Desktop or Claude Code',
  fits: (root) => (isObject(root.projects) ? 2 : 0),
  servers(root, remarks) {
    const own = serversAt(root, ['mcpServers'], remarks);
    // Claude Code keeps servers of a project under its folder.
    const projects = Object.keys(objectAt(root, 'projects') ?? {});
    return [...own, ...projects.flatMap((project) => serversAt(root, ['projects', project, 'mcpServers'], remarks))];
  },
};

const windsurf: Format = {
  id: 'windsurf',
  label: 'Windsurf',
  fits: (root) => (someHas(entries(root, 'mcpServers'), 'serverUrl') ? 2 : 0),
  servers: ofMap('mcpServers'),
};

const cursor: Format = {
  id: 'cursor',
  label: 'Cursor',
  fits: () => 0,
  servers: ofMap('mcpServers'),
};

/** The form most clients share. */
const plain: Format = {
  id: 'mcpServers',
  label: 'an MCP client',
  fits: (root) => (isObject(root.mcpServers) ? 0.5 : 0),
  servers: ofMap('mcpServers'),
};

export const FORMATS: readonly Format[] = [
  metamcp,
  mcpHub,
  mcphub,
  oneMcp,
  claude,
  cursor,
  vscode,
  windsurf,
  zed,
  codex,
  gemini,
  plain,
];

/** The program the file is most likely of; undefined when it holds no servers that anyone would recognise. */
export function detectFormat(root: JsonObject): Format | undefined {
  let best: Format | undefined;
  for (const format of FORMATS) {
    if (format.fits(root) > (best?.fits(root) ?? 0)) best = format;
  }
  return best;
}
