/** Requests to the administration API, its stream of events, and the session of this browser. */
import { signal } from '@preact/signals';
import type { LogoutJson } from '../login.ts';

const STORED = 'switchboard-key';

/** What the page sends beside the cookie. In storage of this very origin: other ports and sites cannot read it. */
let key = localStorage.getItem(STORED) ?? '';

/** Undefined until it is known. */
export const loggedIn = signal<boolean | undefined>(key === '' ? false : undefined);

/** Who has logged in, where it is a person known by name. */
export interface Who {
  name?: string | undefined;
  mayChange: boolean;
}

export const who = signal<Who>({ mayChange: true });

export class ApiError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(message: string, code: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const headers = (): Record<string, string> => ({ 'x-switchboard-key': key });

/** A `GET`, or with a body a `POST`. `path` is below `/admin/`. Rejects with {@link ApiError}. */
export async function api<T>(path: string, body?: unknown): Promise<T> {
  const reply = await fetch(path, {
    headers: { ...headers(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError('The gateway does not answer. It may have been stopped.', 'OFFLINE', 0);
  });
  return read<T>(reply);
}

async function read<T>(reply: Response): Promise<T> {
  const value = (await reply.json().catch(() => ({}))) as { error?: { message?: string; code?: string } };
  if (reply.ok) return value as T;
  if (reply.status === 401) loggedIn.value = false;
  throw new ApiError(
    value.error?.message ?? `The gateway answered ${reply.status}.`,
    value.error?.code ?? '',
    reply.status,
  );
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export async function logIn(credential: { token: string } | { link: string }): Promise<void> {
  const { key: given, name, mayChange } = await api<Who & { key: string }>('api/login', credential);
  key = given;
  localStorage.setItem(STORED, given);
  who.value = { name, mayChange };
  loggedIn.value = true;
  stillAt.value = undefined;
}

/** Sends the browser to the identity provider; it comes back with a link. */
export async function logInAtProvider(): Promise<void> {
  const { url } = await api<{ url: string }>('api/login/begin', {});
  location.assign(url);
}

/** Where the person is still logged in, after they have logged out here. */
export const stillAt = signal<LogoutJson['provider']>(undefined);

export async function logOut(): Promise<void> {
  stillAt.value = (await api<LogoutJson>('api/logout', {}).catch((): LogoutJson => ({}))).provider;
  key = '';
  localStorage.removeItem(STORED);
  loggedIn.value = false;
}

/** Whether the session of an earlier visit is still open. */
export async function resume(): Promise<void> {
  if (key === '') return;
  await api<Who>('api/session').then(
    ({ name, mayChange }) => {
      who.value = { name, mayChange };
      loggedIn.value = true;
    },
    () => {
      loggedIn.value = false;
    },
  );
}

/** Reads server-sent events until the signal is aborted or the stream ends. `fetch` and not `EventSource`, which sends no headers. */
export async function readEvents(
  path: string,
  onEvent: (event: string, data: unknown) => void,
  signal: AbortSignal,
  body?: unknown,
): Promise<void> {
  const reply = await fetch(path, {
    headers: { ...headers(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    signal,
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!reply.ok || !reply.body || !reply.headers.get('content-type')?.startsWith('text/event-stream')) {
    await read(reply);
    throw new ApiError('The gateway sends no events.', '', reply.status);
  }
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const event = lines.find((line) => line.startsWith('event: '))?.slice(7);
      const data = lines.find((line) => line.startsWith('data: '))?.slice(6);
      if (event !== undefined && data !== undefined) onEvent(event, JSON.parse(data));
    }
  }
}

const RETRY_MS = 1_500;

/** Whether the stream of events is open. */
export const connected = signal(false);

/** Reads events for as long as the page is open, and again after each end. Returns what ends it. */
export function follow(path: string, onEvent: (event: string, data: unknown) => void): () => void {
  const ended = new AbortController();
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted && loggedIn.value) {
      await readEvents(
        path,
        (event, data) => {
          connected.value = true;
          onEvent(event, data);
        },
        ended.signal,
      ).catch(() => {});
      if (ended.signal.aborted) return;
      connected.value = false;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      // A gateway that was started again knows no sessions of before.
      await api('api/session').catch(() => {});
    }
  };
  void run();
  return () => ended.abort();
}
