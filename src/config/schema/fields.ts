/**
 * Field types that several sections share.
 * @module
 */
import { z } from 'zod';

/** Timers of the platform end at 24.8 days; no wait of ours needs more than one. */
export const DAY_MS = 86_400_000;

export const milliseconds = () => z.int().min(1).max(DAY_MS);

export const count = (min: number, max: number) => z.int().min(min).max(max);

export const text = () => z.string().min(1);

/** Globs of names. */
export const globs = () => z.array(z.string().min(1).max(256)).max(1000);
