/**
 * Turns the key `auth` of an entry into a {@link ServerAuth}: combinations of keys are checked, paths resolved.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import type { Target } from '../core/adapter.ts';
import type { ServerAuth, ServerAuthType, TokenSource } from '../core/server-auth.ts';
import { expandHome } from './expand.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { ServerAuthEntry } from './schema/server-auth.ts';
import { isLoopbackHost } from './urls.ts';

export interface AuthPlace {
  /** Where `auth` stands in the file. */
  readonly path: JsonPath;
  /** Relative paths start here. */
  readonly folder: string;
  readonly target: Target;
  readonly isolation: 'caller' | 'shared' | undefined;
  /** Some variable is not set, which is fine where the server is disabled. */
  readonly disabled: boolean;
  readonly findings: Findings;
}

type AuthObject = Exclude<ServerAuthEntry, string>;
type AuthKey = keyof AuthObject;

/** Keys without which a type cannot do anything; of a list within one of them. */
const NEEDS: Readonly<Partial<Record<ServerAuthType, readonly (AuthKey | readonly AuthKey[])[]>>> = {
  client_credentials: ['clientId', ['clientSecret', 'privateKey']],
  xaa: ['clientId', 'clientSecret', 'idp'],
  jwt_bearer: ['assertion'],
};

export async function serverAuth(
  entry: ServerAuthEntry | undefined,
  place: AuthPlace,
): Promise<ServerAuth | undefined> {
  if (entry === undefined) return undefined;
  const { path, target, findings } = place;
  if (target.transport === 'stdio' || target.transport === 'mqtt') {
    findings.mistake(path, 'found it for a server without an http url; tokens are sent in HTTP headers');
    return undefined;
  }
  const { CLIENT_ID, CLIENT_SECRET, ...keys } = typeof entry === 'string' ? ({ type: entry } as AuthObject) : entry;
  const written: AuthObject = {
    ...keys,
    clientId: keys.clientId ?? CLIENT_ID,
    clientSecret: keys.clientSecret ?? CLIENT_SECRET,
  };
  const type = written.type ?? 'oauth';
  const isMachine = type === 'client_credentials' || type === 'jwt_bearer';
  const per = written.per ?? (isMachine || type === 'headers' || place.isolation === 'shared' ? 'gateway' : 'user');
  if (isMachine && per === 'user') findings.mistake([...path, 'per'], `found "user"; allowed with ${type}: gateway`);
  if (per === 'user' && place.isolation === 'shared') {
    findings.mistake(
      [...path, 'per'],
      'found "user" beside isolation "shared"; a session that callers share has one login',
    );
  }
  for (const need of NEEDS[type] ?? []) requireOne(written, typeof need === 'string' ? [need] : need, type, place);
  if ((type === 'token_exchange' || type === 'xaa') && per === 'gateway')
    requireOne(written, ['subjectToken'], `${type} for the gateway`, place);
  checkIssuer(written.issuer, [...path, 'issuer'], place);
  checkIssuer(written.idp?.tokenEndpoint, [...path, 'idp', 'tokenEndpoint'], place);
  checkIssuer(written.idp?.issuer, [...path, 'idp', 'issuer'], place);
  const { privateKey, subjectToken, assertion, ...rest } = written;
  return {
    ...defined(rest),
    ...defined({
      privateKey: privateKey === undefined ? undefined : await pem(privateKey, place),
      subjectToken: sourceAt(subjectToken, place),
      assertion: sourceAt(assertion, place),
    }),
    type,
    per,
  };
}

function requireOne(entry: AuthObject, keys: readonly AuthKey[], what: string, { path, findings }: AuthPlace): void {
  if (keys.some((key) => entry[key] !== undefined)) return;
  findings.mistake(path, `found no ${keys.join(' or ')}; ${what} needs it`);
}

function checkIssuer(issuer: string | undefined, path: JsonPath, { findings, target, disabled }: AuthPlace): void {
  if (issuer === undefined || disabled) return;
  const url = URL.parse(issuer);
  const own = target.transport === 'stdio' ? undefined : URL.parse(target.url)?.hostname;
  const isNear = url?.protocol === 'http:' && (isLoopbackHost(url.hostname) || url.hostname === own);
  if (url && (url.protocol === 'https:' || isNear) && url.username === '' && url.search === '' && url.hash === '')
    return;
  findings.mistake(
    path,
    'found no address of an issuer; allowed: an https URL without query, as its metadata spell it',
  );
}

async function pem(text: string, { path, folder, findings, disabled }: AuthPlace): Promise<string> {
  if (text.includes('-----BEGIN')) return text;
  try {
    return await readFile(absolute(text, folder), 'utf8');
  } catch {
    if (!disabled) findings.mistake([...path, 'privateKey'], 'found neither a PEM text nor a file that can be read');
    return text;
  }
}

const sourceAt = (source: TokenSource | undefined, { folder }: AuthPlace): TokenSource | undefined =>
  source && 'file' in source ? { file: absolute(source.file, folder) } : source;

const absolute = (path: string, folder: string): string =>
  isAbsolute(path) ? path : resolve(folder, expandHome(path));

/** Without the members that are undefined: configurations are compared. */
const defined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
