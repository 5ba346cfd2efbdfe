/** A form made from a JSON Schema, and the same value as JSON for what the form cannot say. */
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import {
  type Choice,
  fieldOf,
  isObject,
  type JsonSchema,
  type Member,
  type Shape,
  startValue,
  variantOf,
} from './schema.ts';
import { html, plain } from './ui.ts';

/** Fields in fields: deeper ones are written as JSON. */
const MAX_DEPTH = 5;

/** Values that a server proposes for a text, such as the arguments of a prompt. */
export type Propose = (name: string, text: string) => Promise<readonly string[]>;

interface FormProps {
  schema: JsonSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  id: string;
  /** What the value is called where it is written as JSON. */
  label?: string;
  propose?: Propose | undefined;
}

/** The whole of a value: its fields, or JSON where the person prefers that. */
export function SchemaForm({ schema, value, onChange, id, label = 'Arguments', propose }: FormProps): VNode {
  const [asJson, setAsJson] = useState(false);
  const { shape } = fieldOf(schema, schema);
  const isEmpty = shape.as === 'members' && shape.members.length === 0;
  const hasFields = shape.as === 'members' || shape.as === 'variants';
  if (!hasFields)
    return html`<${JsonField} label=${`${label}, as JSON`} id=${id} value=${value} onChange=${onChange} />`;
  return html`<div class="form">
    ${
      asJson
        ? html`<${JsonField} label=${`${label}, as JSON`} id=${`${id}-json`} value=${value} onChange=${onChange} rows=${10} />`
        : isEmpty
          ? html`<p class="quiet">It takes no arguments.</p>`
          : html`<${Control} shape=${shape} root=${schema} value=${value} onChange=${onChange} id=${id} label=${label} required=${true} depth=${0} propose=${propose} />`
    }
    <p class="switch"><button type="button" class="link" aria-pressed=${asJson} onClick=${() => setAsJson(!asJson)}>${asJson ? 'Back to the form' : 'Write it as JSON'}</button></p>
  </div>`;
}

interface ControlProps {
  shape: Shape;
  root: JsonSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  id: string;
  label: string;
  required: boolean;
  depth: number;
  /** Of the text that describes it. */
  describedBy?: string | undefined;
  name?: string;
  propose?: Propose | undefined;
}

function Members({ members, ...props }: Omit<ControlProps, 'shape'> & { members: readonly Member[] }): VNode {
  const { value, onChange, id, root, depth, propose } = props;
  const current = isObject(value) ? value : {};
  const set =
    (name: string) =>
    (next: unknown): void => {
      const { [name]: _, ...rest } = current;
      onChange(next === undefined ? rest : { ...rest, [name]: next });
    };
  return html`${members.map(
    (
      member,
      index,
    ) => html`<${MemberField} key=${member.name} member=${member} root=${root} value=${Object.hasOwn(current, member.name) ? current[member.name] : undefined}
      onChange=${set(member.name)} id=${`${id}-${index}`} depth=${depth + 1} propose=${propose} />`,
  )}`;
}

/** Shapes with several controls: a group and not a label. */
const GROUPS = new Set<Shape['as']>(['members', 'list', 'choices', 'variants']);

function MemberField({
  member: { name, schema, required },
  root,
  value,
  onChange,
  id,
  depth,
  propose,
}: Pick<ControlProps, 'root' | 'value' | 'onChange' | 'id' | 'depth' | 'propose'> & { member: Member }): VNode {
  const { shape: wanted, nullable, title, description } = fieldOf(schema, root, name);
  const shape: Shape = depth > MAX_DEPTH && GROUPS.has(wanted.as) ? { as: 'json' } : wanted;
  const label = plain(title ?? name);
  const about = [label === name ? '' : name, description ?? ''].filter(Boolean).map(plain).join(' – ');
  const help = about ? html`<p class="quiet help" id=${`${id}-help`}>${about}</p>` : null;
  const mark = required ? html` <span class="quiet">(needed)</span>` : null;
  const isNull = nullable && value === null;
  const control = isNull
    ? null
    : html`<${Control} shape=${shape} root=${root} value=${value} onChange=${onChange} id=${id} label=${label} name=${name}
        required=${required} depth=${depth} describedBy=${about ? `${id}-help` : undefined} propose=${propose} />`;
  const toNull = nullable
    ? html`<label class="check null"><input type="checkbox" checked=${isNull} onChange=${(event: Event) =>
        onChange(
          (event.target as HTMLInputElement).checked ? null : required ? startValue(schema, root) : undefined,
        )} />null<span class="unseen"> for ${label}</span></label>`
    : null;
  if (GROUPS.has(shape.as)) {
    const isLeftOut = value === undefined && shape.as !== 'choices';
    return html`<fieldset aria-describedby=${about ? `${id}-help` : undefined}><legend>${label}${mark}</legend>${help}${toNull}
      ${
        isLeftOut
          ? html`<button type="button" class="small" onClick=${() => onChange(startValue(schema, root, true) ?? (shape.as === 'list' ? [] : {}))}>Give ${label}</button>`
          : control
      }
      ${!required && !isLeftOut && !isNull && shape.as !== 'choices' ? html`<p><button type="button" class="small quiet" onClick=${() => onChange(undefined)}>Leave out ${label}</button></p>` : null}
    </fieldset>`;
  }
  if (shape.as === 'yes-no' && required) return html`${control}${help}${toNull}`;
  return html`<label for=${id}>${label}${shape.as === 'json' ? ', as JSON' : ''}${mark}</label>${help}${control}${toNull}`;
}

const LEAVE_OUT = -1;

function Control(props: ControlProps): VNode {
  const { shape, root, value, onChange, id, label, required, depth, describedBy, name = '', propose } = props;
  const shared = { id, required, 'aria-describedby': describedBy };
  switch (shape.as) {
    case 'text':
      return html`<${TextControl} ...${props} shape=${shape} name=${name} propose=${propose} />`;
    case 'number':
      return html`<input ...${shared} type="number" step=${shape.isInteger ? 1 : 'any'} min=${shape.min} max=${shape.max} value=${value ?? ''}
        onInput=${(event: Event) => {
          const text = (event.target as HTMLInputElement).value;
          onChange(text === '' ? undefined : Number(text));
        }} />`;
    case 'yes-no':
      if (required) {
        return html`<label class="check"><input id=${id} type="checkbox" aria-describedby=${describedBy} checked=${value === true}
          onChange=${(event: Event) => onChange((event.target as HTMLInputElement).checked)} />${label}</label>`;
      }
      return html`<${Select} ...${shared} choices=${YES_NO} value=${value} onChange=${onChange} />`;
    case 'choice':
      return html`<${Select} ...${shared} choices=${shape.choices} value=${value} onChange=${onChange} />`;
    case 'fixed':
      if (required) return html`<output id=${id} class="fixed">${plain(asText(shape.value))}</output>`;
      return html`<${Select} ...${shared} choices=${[{ value: shape.value, title: asText(shape.value) }]} value=${value} onChange=${onChange} />`;
    case 'null':
      return html`<output id=${id} class="fixed">null</output>`;
    case 'choices':
      return html`<${Checks} choices=${shape.choices} value=${value} onChange=${onChange} required=${required} />`;
    case 'list':
      return html`<${List} shape=${shape} root=${root} value=${value} onChange=${onChange} id=${id} label=${label} depth=${depth} />`;
    case 'variants':
      return html`<${Variants} ...${props} variants=${shape.variants} />`;
    case 'members':
      return html`<${Members} ...${props} members=${shape.members} />`;
    default:
      return html`<${JsonField} id=${id} value=${value} onChange=${onChange} describedBy=${describedBy} required=${required} />`;
  }
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
const YES_NO: readonly Choice[] = [
  { value: true, title: 'true' },
  { value: false, title: 'false' },
];

function Select({
  choices,
  value,
  onChange,
  ...shared
}: {
  choices: readonly Choice[];
  value: unknown;
  onChange: (value: unknown) => void;
  required: boolean;
  id: string;
}): VNode {
  const chosen = choices.findIndex(
    (each) => each.value === value || JSON.stringify(each.value) === JSON.stringify(value),
  );
  return html`<select ...${shared} value=${chosen === LEAVE_OUT ? '' : chosen} onChange=${(event: Event) => {
    const at = (event.target as HTMLSelectElement).value;
    onChange(at === '' ? undefined : choices[Number(at)]?.value);
  }}>
    <option value="">${shared.required ? 'Choose…' : 'leave out'}</option>
    ${choices.map((each, index) => html`<option key=${index} value=${index}>${plain(each.title)}</option>`)}</select>`;
}

function Checks({
  choices,
  value,
  onChange,
  required,
}: {
  choices: readonly Choice[];
  value: unknown;
  onChange: (value: unknown) => void;
  required: boolean;
}): VNode {
  const chosen: unknown[] = Array.isArray(value) ? value : [];
  const set = (of: unknown, isOn: boolean): void => {
    const next = choices.map((each) => each.value).filter((each) => (each === of ? isOn : chosen.includes(each)));
    onChange(next.length === 0 && !required ? undefined : next);
  };
  return html`<div class="checks">${choices.map(
    (
      each,
      index,
    ) => html`<label key=${index} class="check"><input type="checkbox" checked=${chosen.includes(each.value)}
      onChange=${(event: Event) => set(each.value, (event.target as HTMLInputElement).checked)} />${plain(each.title)}</label>`,
  )}</div>`;
}

function List({
  shape,
  root,
  value,
  onChange,
  id,
  label,
  depth,
}: Pick<ControlProps, 'root' | 'value' | 'onChange' | 'id' | 'label' | 'depth'> & {
  shape: Extract<Shape, { as: 'list' }>;
}): VNode {
  const items: unknown[] = Array.isArray(value) ? value : [];
  const set = (index: number, next: unknown): void => onChange(items.map((each, at) => (at === index ? next : each)));
  const without = (index: number): void => onChange(items.filter((_, at) => at !== index));
  return html`${items.map((item, index) => {
    const name = `${label} ${index + 1}`;
    const member = {
      name,
      schema: {
        title: undefined,
        ...shape.item,
        ...(shape.item.title ? { title: `${String(shape.item.title)} ${index + 1}` } : {}),
      },
      required: true,
    };
    return html`<div key=${index} class="item"><div><${MemberField} member=${member} root=${root} value=${item ?? undefined}
        onChange=${(next: unknown) => set(index, next ?? null)} id=${`${id}-${index}`} depth=${depth + 1} /></div>
      <button type="button" class="small quiet" aria-label=${`Remove ${name}`} onClick=${() => without(index)}>Remove</button></div>`;
  })}
  <p><button type="button" class="small" disabled=${items.length >= shape.max} aria-label=${`Add to ${label}`} onClick=${() => onChange([...items, startValue(shape.item, root) ?? null])}>Add</button></p>`;
}

function Variants({
  variants,
  ...props
}: Omit<ControlProps, 'shape'> & { variants: readonly { title: string; schema: JsonSchema }[] }): VNode {
  const { value, onChange, id, root, depth, label } = props;
  const [chosen, setChosen] = useState(() => variantOf(value, variants, root));
  const variant = variants[chosen] ?? variants[0];
  const choose = (event: Event): void => {
    const next = Number((event.target as HTMLSelectElement).value);
    setChosen(next);
    onChange(startValue(variants[next]?.schema, root));
  };
  const { shape, nullable } = fieldOf(variant?.schema, root);
  const own: Shape = depth > MAX_DEPTH && GROUPS.has(shape.as) ? { as: 'json' } : shape;
  const named = `${label}: ${plain(variant?.title ?? '')}`;
  const isLabelled = GROUPS.has(own.as) || own.as === 'yes-no' || nullable;
  return html`<label for=${`${id}-which`}>Which<span class="unseen"> ${label}</span></label>
    <select id=${`${id}-which`} value=${chosen} onChange=${choose}>${variants.map((each, index) => html`<option key=${index} value=${index}>${plain(each.title)}</option>`)}</select>
    ${isLabelled ? null : html`<label for=${`${id}-value`}>${named}</label>`}
    <${Control} key=${chosen} ...${props} id=${`${id}-value`} label=${named} shape=${own} required=${true} depth=${depth + 1} />`;
}

/** Proposals come this long after the last key. */
const PROPOSE_MS = 200;

function TextControl({
  shape,
  value,
  onChange,
  id,
  required,
  describedBy,
  name,
  propose,
}: ControlProps & { shape: Extract<Shape, { as: 'text' }>; name: string }): VNode {
  const [proposed, setProposed] = useState<readonly string[]>([]);
  const asked = useRef(0);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const look = (text: string): void => {
    if (!propose) return;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(async () => {
      const turn = ++asked.current;
      const found = await propose(name, text);
      if (turn === asked.current) setProposed(found);
    }, PROPOSE_MS);
  };
  const input = (event: Event): void => {
    const text = (event.target as HTMLInputElement).value;
    onChange(text === '' && !required ? undefined : text);
    look(text);
  };
  const shared = {
    id,
    required: required && (shape.min ?? 1) > 0,
    'aria-describedby': describedBy,
    minlength: shape.min,
    maxlength: shape.max,
    placeholder: shape.hint,
    value: typeof value === 'string' ? value : '',
    onInput: input,
  };
  if (shape.long && !propose) return html`<textarea ...${shared} rows="2" class="text"></textarea>`;
  const list = propose ? `${id}-proposed` : undefined;
  return html`<input ...${shared} type=${shape.type} list=${list} autocomplete="off" onFocus=${() => look(typeof value === 'string' ? value : '')} />
    ${list ? html`<datalist id=${list}>${proposed.map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>` : null}`;
}

/** A value as JSON. A form with a text that is none cannot be sent. */
export function JsonField({
  label,
  id,
  value,
  onChange,
  describedBy,
  required = false,
  rows = 4,
}: {
  label?: string;
  id: string;
  value: unknown;
  onChange: (value: unknown) => void;
  describedBy?: string | undefined;
  required?: boolean;
  rows?: number;
}): VNode {
  const [text, setText] = useState(value === undefined ? '' : JSON.stringify(value, null, 2));
  const [problem, setProblem] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.setCustomValidity(problem), [problem]);
  const read = (event: Event): void => {
    const written = (event.target as HTMLTextAreaElement).value;
    setText(written);
    try {
      onChange(written.trim() === '' ? undefined : JSON.parse(written));
      setProblem('');
    } catch {
      setProblem('This is not JSON yet.');
    }
  };
  return html`${label ? html`<label for=${id}>${label}</label>` : null}<textarea ref=${field} id=${id} rows=${rows} spellcheck=${false} required=${required}
      aria-invalid=${problem !== ''} aria-describedby=${describedBy} value=${text} onInput=${read}></textarea>
    ${problem ? html`<p class="quiet" role="status">${problem}</p>` : null}`;
}
