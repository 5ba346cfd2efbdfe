import { describe, expect, it } from 'vitest';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { withAskedUri } from './not-found.ts';

const error = (code: number, data?: unknown) => new UpstreamError({ code, message: 'Resource not found', data });
const asked = { uri: 'one+file:///a', original: 'file:///a', era: 'modern' as const };

describe('an error of resources/read', () => {
  it('names the resource as the client did', () => {
    const named = withAskedUri(error(-32602, { uri: 'file:///a', more: 1 }), asked);
    expect(named).toMatchObject({ message: 'Resource not found', data: { uri: 'one+file:///a', more: 1 } });
  });

  it.each([-32002, -32602])('names it for modern clients where the server did not (%i)', (code) => {
    expect(withAskedUri(error(code), asked)).toMatchObject({ rpcCode: code, data: { uri: 'one+file:///a' } });
    const before = error(code);
    expect(withAskedUri(before, { ...asked, era: 'legacy' })).toBe(before);
  });

  it.each([
    ['about another resource', error(-32602, { uri: 'file:///b' })],
    ['with data of another form', error(-32602, 'gone')],
    ['of another kind', error(-32603)],
    ['of the gateway', new SwitchboardError('SWB_CALL_TIMEOUT', 'Late.')],
  ])('%s stays as it is', (_what, before) => {
    expect(withAskedUri(before, asked)).toBe(before);
  });
});
