import { behavesLikeAnUpstream } from '../../../adapters/testing/vitest.ts';
import { toyCases } from './suite.ts';

behavesLikeAnUpstream('A toy', toyCases);
