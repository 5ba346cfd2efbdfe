/**
 * The schema of limits, and of the older `rate_limit`.
 * @module
 */
import { z } from 'zod';
import { count, DAY_MS } from '../../../config/schema/fields.ts';
import { argumentPath, reason } from './condition.ts';

/** Lengths of the windows by their names, in milliseconds. */
export const WINDOW_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: DAY_MS } as const;

const windowName = () => z.enum(Object.keys(WINDOW_MS) as (keyof typeof WINDOW_MS)[]);

/** 31 days; longer counts belong to a billing system. */
const MAX_WINDOW_SECONDS = 2_678_400;

const limitSchema = z
  .strictObject({
    counter: z.string().min(1).max(256).meta({
      description:
        'Name of the count. Limits with the same counter, window and scope in this document share one count.',
    }),
    window: windowName().meta({ description: 'How long it counts; windows begin at full units of UTC.' }),
    max: count(0, Number.MAX_SAFE_INTEGER).meta({ description: 'Most of it in one window.' }),
    scope: z.enum(['grant', 'session', 'server', 'global', 'all']).default('grant').meta({
      description: 'Whose count: each grant has its own, each session, each server, or one for all (global, all).',
    }),
    sliding: z
      .boolean()
      .default(false)
      .meta({ description: 'Count back from now instead of from the beginning of the unit.' }),
    increment: count(1, 1_000_000_000).default(1).meta({ description: 'What one call adds.' }),
    increment_from: argumentPath()
      .optional()
      .meta({ description: 'The argument whose value a call adds instead (args.amount).' }),
    on_deny: reason().optional().meta({ description: 'What the caller is told when the limit is reached.' }),
  })
  .meta({ id: 'limit', description: 'How often, or how much, in a span of time.' });

export const limits = () => z.array(limitSchema).max(64);

export const rateLimitSchema = z
  .strictObject({
    max: count(0, Number.MAX_SAFE_INTEGER).meta({ description: 'Most calls in one window.' }),
    window: z
      .union([count(1, MAX_WINDOW_SECONDS), windowName()])
      .meta({ description: 'Seconds, or a unit: second, minute, hour, day.' }),
  })
  .meta({
    id: 'rateLimit',
    description: 'The older form of a limit: per grant, its counter is the lower-case name with _rate.',
  });

export type LimitEntry = z.infer<typeof limitSchema>;
export type RateLimitEntry = z.infer<typeof rateLimitSchema>;
