/**
 * The documents that bind one principal at one server, and their plans. Plans are cached by name; the cache is bounded,
 * because callers choose URIs.
 * @module
 */
import { POLICY_SECTIONS, type PolicySection } from '../language/types.ts';
import type { Subject } from '../types.ts';
import type { CompiledDocument } from './compile.ts';
import { Plan } from './plan.ts';

/** In each section. */
const MAX_PLANS = 2_048;
/** Plans of longer names are not cached. */
const MAX_CACHED_NAME = 1_024;

interface CachedPlan {
  subject: Subject;
  plan: Plan;
}

export class PolicySet {
  /** Whether a name without a rule is known and allowed. */
  readonly allowsByDefault: boolean;
  /** Whether any resource may be hidden. */
  readonly hidesUris: boolean;
  readonly #documents: readonly CompiledDocument[];
  /** By namespaced name, oldest first. */
  readonly #plans = Object.fromEntries(POLICY_SECTIONS.map((section) => [section, new Map()])) as Record<
    PolicySection,
    Map<string, CachedPlan>
  >;

  /** In the order of evaluation: the first denial is reported. */
  constructor(documents: readonly CompiledDocument[]) {
    this.#documents = documents;
    this.hidesUris = documents.some(({ mode, hidesUris }) => mode === 'enforce' && hidesUris);
    this.allowsByDefault = documents.every(({ mode, allowsByDefault }) => mode === 'shadow' || allowsByDefault);
  }

  planFor(subject: Subject): Plan {
    const { section, name, namespaced } = subject;
    const plans = this.#plans[section];
    const cached = plans.get(namespaced);
    if (cached && isSame(cached.subject, subject)) return cached.plan;
    const plan = new Plan(this.#documents, subject);
    if (namespaced.length > MAX_CACHED_NAME || name.length > MAX_CACHED_NAME) return plan;
    plans.delete(namespaced);
    plans.set(namespaced, { subject: bare(subject), plan });
    if (plans.size > MAX_PLANS) plans.delete(plans.keys().next().value as string);
    return plan;
  }
}

/** Whether documents decide the same about both. The templates a server lists change. */
const isSame = (one: Subject, other: Subject): boolean =>
  one === other ||
  (one.name === other.name &&
    one.tool?.name === other.tool?.name &&
    one.tool?.isTentative === other.tool?.isTentative &&
    one.server === other.server &&
    one.template?.name === other.template?.name &&
    one.usual?.name === other.usual?.name &&
    one.usual?.template?.name === other.usual?.template?.name);

/** Plans outlive the lists they are made for, and must not hold their entries. */
const bare = (subject: Subject): Subject => (subject.entry ? { ...subject, entry: undefined } : subject);
