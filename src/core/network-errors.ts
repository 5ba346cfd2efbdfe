/**
 * Failures of the network and of processes in words that may reach clients: clauses about a server, by error code. They
 * name no address, path or credential.
 * @module
 */

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses connections',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  UND_ERR_SOCKET: 'it closed the connection',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name could not be looked up',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  EHOSTUNREACH: 'its host is out of reach',
  ENETUNREACH: 'its network is out of reach',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  ENOENT: 'its command was not found',
  EACCES: 'its command may not be run',
};

/** The code of an error, or of its cause; for several attempts at one host, of the first. */
export function networkCode(error: unknown): string | undefined {
  const { code, cause, errors } = (error ?? {}) as { code?: unknown; cause?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  const inner: unknown = Array.isArray(errors) ? errors[0] : cause;
  return inner === undefined ? undefined : networkCode(inner);
}

/** Undefined for what is no failure of the network, or one without words. */
export function networkReason(error: unknown): string | undefined {
  const code = networkCode(error);
  return code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
}
