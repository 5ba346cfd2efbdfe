/**
 * What takes the credentials of a server out of what it says.
 * @module
 */
import { type Mask, masking } from '../core/mask.ts';
import type { Member } from '../federation/types.ts';

export const maskOf = ({ mask, config }: Pick<Member, 'mask' | 'config'>): Mask => mask ?? masking(config.target);
