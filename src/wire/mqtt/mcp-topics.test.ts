import { describe, expect, it } from 'vitest';
import {
  clientOf,
  controlTopic,
  filterProblem,
  idProblem,
  isNotification,
  ONLINE,
  onlineMessage,
  presenceOf,
  presenceTopic,
  rpcClientOf,
  rpcTopic,
  serverNameProblem,
} from './mcp-topics.ts';

const server = { id: 'gw-1', name: 'gateway/demo/main' };

describe('the topics of MCP over MQTT', () => {
  it('are those of the specification', () => {
    expect(controlTopic(server)).toBe('$mcp-server/gw-1/gateway/demo/main');
    expect(presenceTopic(server)).toBe('$mcp-server/presence/gw-1/gateway/demo/main');
    expect(rpcTopic('c-1', server)).toBe('$mcp-rpc/c-1/gw-1/gateway/demo/main');
  });

  it('give back the server or client they were made for, and nothing for other topics', () => {
    expect(presenceOf(presenceTopic(server))).toEqual(server);
    expect(rpcClientOf(rpcTopic('c-1', server))).toBe('c-1');
    expect(clientOf('$mcp-client/presence/c-1')).toEqual({ id: 'c-1', about: 'presence' });
    expect(clientOf('$mcp-client/capability/c-1')).toEqual({ id: 'c-1', about: 'capability' });
    for (const other of ['$mcp-server/presence/', '$mcp-server/presence/gw-1', '$mcp-server/presence//x', 'a/b', ''])
      expect(presenceOf(other)).toBeUndefined();
    for (const other of ['$mcp-rpc/', '$mcp-rpc//gw-1/x', '$mcp-rpc/c-1', 'a/b'])
      expect(rpcClientOf(other)).toBeUndefined();
    expect(clientOf('$mcp-client/other/c-1')).toBeUndefined();
  });

  it('take only ids that are one level, and no word of the topics themselves', () => {
    expect(idProblem('scout-7f')).toBeUndefined();
    for (const id of ['', 'a/b', 'a+', '#', 'a\0', 'presence', 'capability', 'x'.repeat(129)])
      expect(idProblem(id), id).toBeTypeOf('string');
  });

  it('take server names of whole levels, and wildcards only in filters', () => {
    expect(serverNameProblem('gateway/demo/main')).toBeUndefined();
    for (const name of ['', '/a', 'a/', 'a//b', 'a/+', '#', 'a\n'])
      expect(serverNameProblem(name), name).toBeTypeOf('string');
    for (const filter of ['#', '+', 'a/#', 'a/+/b', 'a']) expect(filterProblem(filter), filter).toBeUndefined();
    for (const filter of ['a#', '#/a', 'a+/b', 'a//b']) expect(filterProblem(filter), filter).toBeTypeOf('string');
  });

  it('recognise an online server by its notification, whatever else is retained there', () => {
    expect(isNotification(Buffer.from(onlineMessage('a', 'what it does')), ONLINE)).toBe(true);
    for (const garbage of [
      '',
      'online',
      '[]',
      '{"method":"x"}',
      '\xff\xfe',
      `{"method":"${ONLINE}","x":"${'y'.repeat(70_000)}"}`,
    ])
      expect(isNotification(Buffer.from(garbage), ONLINE)).toBe(false);
  });
});
