/** URI templates (RFC 6570) as far as MCP servers use them: their variables, and the URI that values make. */

export interface UriVariable {
  name: string;
  /** Without a value it is left out. */
  optional: boolean;
}

interface Operator {
  first: string;
  between: string;
  /** `name=value`. */
  named: boolean;
  /** Values may hold what has a meaning in URIs. */
  reserved: boolean;
}

const PLAIN: Operator = { first: '', between: ',', named: false, reserved: false };
const OPERATORS: Readonly<Record<string, Operator>> = {
  '+': { ...PLAIN, reserved: true },
  '#': { ...PLAIN, first: '#', reserved: true },
  '.': { ...PLAIN, first: '.', between: '.' },
  '/': { ...PLAIN, first: '/', between: '/' },
  ';': { first: ';', between: ';', named: true, reserved: false },
  '?': { first: '?', between: '&', named: true, reserved: false },
  '&': { first: '&', between: '&', named: true, reserved: false },
};

const EXPRESSION = /\{([+#./;?&]?)([^{}]{1,500})\}/g;
const MAX_VARIABLES = 50;

interface Part {
  operator: Operator;
  names: { name: string; length: number | undefined }[];
}

function partOf(sign: string, list: string): Part {
  const names = list.split(',').map((each) => {
    const [, name = each, length] = /^([^*:]+)(?::(\d{1,4}))?\*?$/.exec(each.trim()) ?? [];
    return { name, length: length === undefined ? undefined : Number(length) };
  });
  return { operator: OPERATORS[sign] ?? PLAIN, names };
}

export function variablesOf(template: string): UriVariable[] {
  const found = new Map<string, UriVariable>();
  for (const [, sign = '', list = ''] of template.matchAll(EXPRESSION)) {
    const { operator, names } = partOf(sign, list);
    for (const { name } of names) if (found.size < MAX_VARIABLES) found.set(name, { name, optional: operator.named });
  }
  return [...found.values()];
}

/** A variable without a value is left out, as one that is undefined. */
export function expanded(template: string, values: Readonly<Record<string, unknown>>): string {
  return template.replace(EXPRESSION, (_, sign: string, list: string) => {
    const { operator, names } = partOf(sign, list);
    const given = names.flatMap(({ name, length }) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (typeof value !== 'string' || value === '') return [];
      const text = encoded(length === undefined ? value : value.slice(0, length), operator.reserved);
      return [operator.named ? `${name}=${text}` : text];
    });
    return given.length === 0 ? '' : operator.first + given.join(operator.between);
  });
}

function encoded(text: string, reserved: boolean): string {
  const strict = encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  if (!reserved) return strict;
  return encodeURI(text.toWellFormed())
    .replaceAll(/%25([0-9A-Fa-f]{2})/g, '%$1')
    .replaceAll('%5B', '[')
    .replaceAll('%5D', ']');
}
