/**
 * The whole file.
 * @module
 */
import { z } from 'zod';
import { IGNORED_TOP_KEYS, ignoredShape } from './foreign.ts';
import { gatewaySchema } from './gateway-section.ts';

const serverMap = (schema: z.ZodType, shape: string) =>
  z
    .record(z.string(), schema)
    .optional()
    .meta({
      description: `Servers by name, in the shape of ${shape}: names are letters, digits, - _ and ., 64 at most.`,
    });

export const fileSchema = (server: z.ZodType) =>
  z.strictObject({
    $schema: z.string().optional().meta({ description: 'For editors.' }),
    mcpServers: serverMap(server, 'most clients'),
    servers: serverMap(server, 'VS Code'),
    gateway: gatewaySchema.optional().meta({ description: 'The gateway itself.' }),
    ...(ignoredShape(IGNORED_TOP_KEYS) as Record<never, never>),
  });

/** Where the sections are parsed apart, so that a mistake in one hides none in another. */
export const TOP_KEYS = ['$schema', 'mcpServers', 'servers', 'gateway'] as const;
