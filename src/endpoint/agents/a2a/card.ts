/**
 * The agent card of a federated agent: its public description, at the gateway's address, in the form of both A2A versions.
 * @module
 */
import type { AgentDescription } from '../../../core/agent-call.ts';
import { PRODUCT } from '../../../core/product.ts';
import type { Route } from '../../../federation/types.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';

/** `base` is the URL of the agent at the gateway, without a trailing slash; `pushes`: tasks take webhooks. */
export function agentCard(route: Route, base: string, pushes: boolean): JsonObject {
  const value = route.entry.value as AgentDescription;
  const { title, description, version, skills, inputModes } = value;
  const name = typeof title === 'string' && title !== '' ? title : route.original;
  const about =
    typeof description === 'string' && description !== ''
      ? description
      : `The agent ${route.original} of the server ${route.member.name}.`;
  return {
    name,
    description: about,
    version: typeof version === 'string' ? version : PRODUCT.version,
    supportedInterfaces: [
      { url: base, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' },
      { url: base, protocolBinding: 'HTTP+JSON', tenant: '', protocolVersion: '1.0' },
      { url: base, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '0.3' },
    ],
    capabilities: { streaming: true, pushNotifications: pushes, extensions: [], extendedAgentCard: false },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: Array.isArray(inputModes)
      ? ['text/plain', 'application/json', ...inputModes]
      : ['text/plain', 'application/json'],
    defaultOutputModes: ['text/plain', 'application/json'],
    skills: skillsOf(skills, name, about),
    signatures: [],
  };
}

/** A card needs a skill; an agent without any has itself. */
function skillsOf(skills: unknown, name: string, description: string): JsonObject[] {
  const listed = Array.isArray(skills) ? skills.filter(isObject) : [];
  const own = listed.length > 0 ? listed : [{ id: 'chat', name, description }];
  return own.map((skill) => ({
    id: String(skill.id ?? 'chat'),
    name: String(skill.name ?? name),
    description: String(skill.description ?? description),
    tags: Array.isArray(skill.tags) ? skill.tags.map(String) : [],
    examples: [],
    inputModes: [],
    outputModes: [],
    securityRequirements: [],
  }));
}

/** The card as JSON for clients: what 1.0 reads, with the members of 0.3 beside them. `secured`: requests need a key. */
export function cardJson(card: JsonObject, base: string, secured: boolean): JsonObject {
  const { securitySchemes: _, securityRequirements: __, signatures: ___, ...shown } = card;
  return {
    ...shown,
    ...(secured ? SECURITY : {}),
    // 0.3 reads these, and 1.0 passes over them.
    protocolVersion: '0.3.0',
    url: base,
    preferredTransport: 'JSONRPC',
  };
}

const SECURITY: JsonObject = {
  securitySchemes: { key: { type: 'http', scheme: 'bearer', httpAuthSecurityScheme: { scheme: 'Bearer' } } },
  securityRequirements: [{ schemes: { key: { list: [] } } }],
  security: [{ key: [] }],
};
