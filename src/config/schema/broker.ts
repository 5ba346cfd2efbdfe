/**
 * How a server's broker is logged in to: the key `broker`, and the logins of callers in `credentials`.
 * @module
 */
import { z } from 'zod';
import { BROKER_DEFAULTS } from '../../core/broker.ts';
import { text } from './fields.ts';

/** Text of a PEM file, or its path. */
const pem = (description: string) => text().optional().meta({ description });

const loginShape = {
  username: z.string().max(1_024).optional().meta({ description: 'User name at the broker.' }),
  password: z.string().max(8_192).optional().meta({ description: 'Password at the broker.' }),
  ca: pem('Certificates the broker’s own is checked against, in place of the system’s: a PEM file or its text.'),
  cert: pem('Client certificate: a PEM file or its text.'),
  key: pem('Private key of the client certificate: a PEM file or its text.'),
  passphrase: z.string().max(8_192).optional().meta({ description: 'Passphrase of the private key.' }),
  clientId: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'MQTT client id. Default: one that is made up for each connection.' }),
};

export const brokerSchema = z.strictObject({
  ...loginShape,
  version: z
    .enum(['auto', '5', '3.1.1'])
    .default(BROKER_DEFAULTS.version)
    .meta({ description: 'MQTT version; auto is 5, and 3.1.1 where the broker does not know 5.' }),
  keepaliveSeconds: z
    .int()
    .min(1)
    .max(65_535)
    .default(BROKER_DEFAULTS.keepaliveSeconds)
    .meta({ description: 'Seconds without traffic after which the broker must show a sign of life.' }),
});

const logins = (whose: string) =>
  z
    .record(z.string(), z.strictObject(loginShape))
    .default({})
    .meta({ description: `Logins at the broker by ${whose}; each has a connection of its own.` });

export const credentialsSchema = z.strictObject({
  grants: logins('grant'),
  principals: logins('principal'),
  required: z
    .boolean()
    .default(false)
    .meta({ description: 'Refuse callers without a login, in place of calling with the gateway’s own.' }),
});

export type BrokerEntry = z.infer<typeof brokerSchema>;
export type CredentialsEntry = z.infer<typeof credentialsSchema>;
