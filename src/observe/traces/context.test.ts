import { createTraceState } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { readContext, withContext } from './context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;

describe('a trace context', () => {
  it('is read with its flags and its state', () => {
    const read = readContext(PARENT, 'vendor=1,other=2');
    expect(read).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
    expect(read?.traceState?.serialize()).toBe('vendor=1,other=2');
    expect(readContext(`00-${TRACE}-${SPAN}-00`, undefined)).toMatchObject({ traceFlags: 0 });
    expect(readContext(` ${PARENT} `, undefined)).toMatchObject({ traceId: TRACE });
  });

  it('of a later version is read as far as it is known, with the one flag that is', () => {
    expect(readContext(`01-${TRACE}-${SPAN}-ff-more`, undefined)).toMatchObject({ traceId: TRACE, traceFlags: 1 });
  });

  it.each([
    ['nothing', undefined],
    ['a number', 7],
    ['a list', [PARENT]],
    ['an empty text', ''],
    ['upper case', PARENT.toUpperCase()],
    ['members that version 00 has not', `${PARENT}-more`],
    ['the version that is none', `ff-${TRACE}-${SPAN}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a long text', `01-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`],
  ])('is none from %s', (_, traceparent) => expect(readContext(traceparent, 'vendor=1')).toBeUndefined());

  it.each([
    ['a number', 7],
    ['more than has to be passed on', `vendor=${'x'.repeat(520)}`],
    ['nothing', ''],
  ])('goes without a state that is %s', (_, tracestate) => {
    const read = readContext(PARENT, tracestate);
    expect(read).toMatchObject({ traceId: TRACE });
    expect(read?.traceState).toBeUndefined();
  });

  it('is written into `_meta` in place of the client’s, beside everything else, into a copy', () => {
    const params = {
      name: 'x',
      _meta: { traceparent: 'old', tracestate: 'old=1', baggage: 'user=1', progressToken: 3 },
    };
    const context = { traceId: TRACE, spanId: SPAN, traceFlags: 1, traceState: createTraceState('vendor=1') };
    expect(withContext(params, context)).toEqual({
      name: 'x',
      _meta: { baggage: 'user=1', progressToken: 3, traceparent: PARENT, tracestate: 'vendor=1' },
    });
    expect(params._meta.traceparent).toBe('old');
    expect(withContext({}, { traceId: TRACE, spanId: SPAN, traceFlags: 0 })).toEqual({
      _meta: { traceparent: `00-${TRACE}-${SPAN}-00` },
    });
  });
});
