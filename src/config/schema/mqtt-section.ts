/**
 * The schema of `gateway.mqtt`: the gateway as a server on an MQTT broker, and the export of its tools.
 * @module
 */
import { z } from 'zod';
import { filterProblem, idProblem, serverNameProblem } from '../../wire/mqtt/mcp-topics.ts';
import { isLevel, normalNamespace } from '../../wire/mqtt/tool-topics.ts';
import { brokerSchema } from './broker.ts';
import { checked, globs, text } from './fields.ts';

const namespaceProblem = (value: string): string | undefined => {
  const namespace = normalNamespace(value);
  if (namespace.startsWith('$')) return 'begins with $, which is for topics of the broker itself';
  return filterProblem(namespace) ?? serverNameProblem(namespace);
};

const levelProblem = (value: string): string | undefined =>
  isLevel(value) ? undefined : 'is no single level of a topic (no / + # and no control characters)';

const exportSchema = z.strictObject({
  topicNamespace: checked(namespaceProblem).default('a2a/v1').meta({ description: 'What the topics begin with.' }),
  grant: text().meta({
    description: 'The grant that calls run as, or "local" for the local user, whom no grant binds.',
  }),
  serverName: checked(levelProblem)
    .default('switchboard')
    .meta({ description: 'Name of the gateway on the cards: one level of a topic.' }),
  clientId: checked(idProblem)
    .optional()
    .meta({ description: 'MQTT client id of this connection. Default: one that is made up for each connection.' }),
  tools: z
    .strictObject({
      include: globs().min(1).optional().meta({ description: 'Only tools that match. Default: all.' }),
      exclude: globs().default([]).meta({ description: 'Not the tools that match; wins over include.' }),
    })
    .prefault({})
    .meta({ description: 'Which tools have a card, by the names that clients see.' }),
});

export const mqttSchema = z.strictObject({
  url: text().meta({ description: 'Address of the broker: mqtt, mqtts, ws or wss.' }),
  broker: brokerSchema
    .omit({ clientId: true, version: true })
    .prefault({})
    .meta({ description: 'How the gateway logs in to the broker.' }),
  serverName: checked(serverNameProblem)
    .default('switchboard')
    .meta({ description: 'Name of the gateway at the broker: levels between slashes, without + and #.' }),
  serverId: checked(idProblem)
    .optional()
    .meta({ description: 'MQTT client id of the gateway. Default: one that is made up for each start.' }),
  description: z
    .string()
    .max(2_000)
    .default('Tools, prompts and resources of several servers behind one gateway.')
    .meta({ description: 'What clients read of the gateway before they open a session.' }),
  clients: z.record(z.string().min(1).max(256), text()).default({}).meta({
    description:
      'Grants by MQTT client id, or glob of client ids; "local" for the local user, whom no grant binds. Other clients are refused. The broker must let each user publish under its own ids alone.',
  }),
  export: exportSchema.optional().meta({
    description: 'Tools as cards with a call topic each (@cloudsignal/mcp-over-mqtt), for callers the broker lets in.',
  }),
});

export type MqttEntry = z.infer<typeof mqttSchema>;
