/**
 * The documents that bind one principal at one server, and their plans. A plan is made once for a name and kept; how many
 * are kept is bounded, because callers choose URIs.
 * @module
 */
import { POLICY_SECTIONS, type PolicySection } from '../language/types.ts';
import type { Subject } from '../types.ts';
import type { CompiledDocument } from './compile.ts';
import { Plan } from './plan.ts';

/** In each section. */
const MAX_PLANS = 2_048;
/** Longer names are planned anew each time. */
const MAX_KEPT_NAME = 1_024;

interface CachedPlan {
  subject: Subject;
  plan: Plan;
}

export class PolicySet {
  /** Whether a name nobody has heard of would be known and allowed. */
  readonly allowsByDefault: boolean;
  /** Whether any name is to be kept secret. */
  readonly hides: boolean;
  readonly #documents: readonly CompiledDocument[];
  /** By namespaced name, oldest first. */
  readonly #plans = Object.fromEntries(POLICY_SECTIONS.map((section) => [section, new Map()])) as Record<
    PolicySection,
    Map<string, CachedPlan>
  >;

  /** In the order in which they are asked: the first denial is the one that is told. */
  constructor(documents: readonly CompiledDocument[]) {
    this.#documents = documents;
    this.hides = documents.some(({ mode, hides }) => mode === 'enforce' && hides);
    this.allowsByDefault = documents.every(({ mode, allowsByDefault }) => mode === 'shadow' || allowsByDefault);
  }

  planFor(subject: Subject): Plan {
    const { section, name, namespaced } = subject;
    const plans = this.#plans[section];
    const kept = plans.get(namespaced);
    if (kept && isSame(kept.subject, subject)) return kept.plan;
    const plan = new Plan(this.#documents, subject);
    if (namespaced.length > MAX_KEPT_NAME || name.length > MAX_KEPT_NAME) return plan;
    plans.delete(namespaced);
    plans.set(namespaced, { subject: bare(subject), plan });
    if (plans.size > MAX_PLANS) plans.delete(plans.keys().next().value as string);
    return plan;
  }
}

/** Whether documents say the same of both. What templates a server lists changes. */
const isSame = (one: Subject, other: Subject): boolean =>
  one === other ||
  (one.name === other.name &&
    one.server === other.server &&
    one.template?.name === other.template?.name &&
    one.usual?.name === other.usual?.name &&
    one.usual?.template?.name === other.usual?.template?.name);

/** Plans are kept longer than the lists they are made for. */
const bare = (subject: Subject): Subject => (subject.entry ? { ...subject, entry: undefined } : subject);
