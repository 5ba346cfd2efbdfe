/**
 * Turns the checked `gateway.admin` into an {@link AdminConfig}.
 * @module
 */
import { checkPublicUrl, checkSecure } from './bridge-section.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { AdminEntry } from './schema/admin-section.ts';
import type { AuthEntry } from './schema/auth-section.ts';
import type { AdminConfig, AdminLoginConfig, ClaimRule } from './types.ts';

const BASE: JsonPath = ['gateway', 'admin', 'login'];

type LoginEntry = NonNullable<AdminEntry['login']>;

type Provider = Pick<AdminLoginConfig, 'issuer' | 'clientId' | 'clientSecret' | 'scopes'>;

/** What stands beside it in the section. */
interface Beside {
  auth?: AuthEntry | undefined;
  publicUrl?: string | undefined;
}

export function adminConfig({ login }: AdminEntry, { auth, publicUrl }: Beside, findings: Findings): AdminConfig {
  if (!login) return {};
  checkPublicUrl(publicUrl, BASE, findings);
  const provider = providerOf(login, auth, findings);
  if (login.admins.length + login.viewers.length === 0)
    findings.mistake(BASE, 'found no rule in admins or viewers, so that nobody could log in');
  const rules = (key: 'admins' | 'viewers') => claimRules(login[key], [...BASE, key], findings);
  const { providerLogout } = login;
  return { login: provider && { ...provider, admins: rules('admins'), viewers: rules('viewers'), providerLogout } };
}

function providerOf(entry: LoginEntry, auth: AuthEntry | undefined, findings: Findings): Provider | undefined {
  const { issuer, clientId, clientSecret, scopes } = entry;
  if (scopes && !scopes.includes('openid')) findings.mistake([...BASE, 'scopes'], 'found no "openid"');
  if (issuer !== undefined) {
    checkSecure(issuer, [...BASE, 'issuer'], findings);
    if (clientId === undefined)
      findings.mistake([...BASE, 'clientId'], 'found none beside an issuer; allowed: the id of the gateway there');
    return { issuer, clientId: clientId ?? '', clientSecret, scopes: scopes ?? ['openid'] };
  }
  const shared = auth?.bridge?.login;
  if (shared === undefined || shared === 'admin-token') {
    findings.mistake(
      [...BASE, 'issuer'],
      'found none; allowed: the URL of an OIDC provider, or none where gateway.auth.bridge.login names one',
    );
    return undefined;
  }
  for (const key of ['clientId', 'clientSecret'] as const) {
    if (entry[key] !== undefined)
      findings.mistake([...BASE, key], 'found one without an issuer; allowed: both, or neither');
  }
  return {
    issuer: shared.issuer,
    clientId: shared.clientId,
    clientSecret: shared.clientSecret,
    scopes: scopes ?? shared.scopes,
  };
}

function claimRules(rules: LoginEntry['admins'], path: JsonPath, findings: Findings): ClaimRule[] {
  return rules.map(({ claim, value }, index) => {
    const values = typeof value === 'string' ? [value] : value;
    // Elsewhere such a value is a glob; here it would silently fit no person.
    if (values.some((each) => each.includes('*')))
      findings.mistake([...path, index, 'value'], 'found a glob; allowed: whole values, spelled exactly');
    return { claim, values };
  });
}
