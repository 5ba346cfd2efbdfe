/** The chart as Helm would fill it in: its values, its templates, a file of values over them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { isObject } from '../../src/wire/jsonrpc.ts';

const CHART = join(import.meta.dirname, '../../deploy/helm/switchboard');

export interface ChartObject {
  kind: string;
  spec?: { template: { spec: unknown } };
}

export const chartValues = (): Record<string, object> =>
  parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, object>;

/** The objects with these values, or with those of the chart and a file of values over them. */
export function renderedChart<T extends ChartObject>(given?: string | object): T[] {
  const values = typeof given === 'object' ? given : merged(chartValues(), given === undefined ? {} : parse(given));
  return readdirSync(join(CHART, 'templates'))
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(filledIn(readFileSync(join(CHART, 'templates', file), 'utf8'), values)).map((document) => {
        const [error] = document.errors;
        if (error) throw error;
        return document.toJS() as T;
      }),
    );
}

/** The chart's templates use fields, `toJson`, `quote`, `sha256sum` and `printf` alone: what a test can fill in. */
export function filledIn(template: string, values: object): string {
  const scope = { Release: { Name: 'test' }, Values: values };
  const value = (word: string): unknown => {
    if (word.startsWith('"')) return JSON.parse(word);
    return word
      .slice(1)
      .split('.')
      .reduce<unknown>((at, key) => {
        const next = (at as Record<string, unknown>)[key];
        if (next === undefined) throw new Error(`There is no ${word}.`);
        return next;
      }, scope);
  };
  const functions: Record<string, (...given: unknown[]) => unknown> = {
    toJson: (given) => JSON.stringify(given),
    quote: (given) => JSON.stringify(String(given)),
    sha256sum: () => 'a'.repeat(64),
    printf: (format, ...rest) => rest.reduce<string>((text, one) => text.replace('%s', String(one)), String(format)),
  };
  return template.replace(/\{\{ (.*?) \}\}/g, (_, expression: string) => {
    let piped: unknown[] = [];
    for (const step of expression.split(' | ')) {
      const words = step.match(/"[^"]*"|\S+/g) ?? [];
      const [first = '', ...rest] = words;
      if (first.startsWith('.')) piped = [value(first)];
      else {
        const call = functions[first];
        if (!call) throw new Error(`The template uses ${first}.`);
        piped = [call(...rest.map(value), ...piped)];
      }
    }
    return String(piped[0]);
  });
}

/** As Helm lays a file of values over those of the chart. */
export function merged(below: unknown, above: unknown): Record<string, object> {
  if (!isObject(below) || !isObject(above)) return (above ?? below) as Record<string, object>;
  const keys = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries([...keys].map((key) => [key, merged(below[key], above[key])]));
}
