/** What watches the gateway (alerts, dashboard, the table of metrics) names what a gateway at work really says at /metrics. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Clients } from '../e2e/clients.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type Family, readScrape } from '../telemetry/scrape.ts';
import { labelsIn, metricsIn } from './promql.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const POLICY = {
  version: '1',
  default: 'allow',
  tools: { 'everything__get-env': { action: 'deny' }, 'everything__get-sum': { action: 'require_approval' } },
};

let gateway: OwnGateway;
/** Before anything was asked of it. */
let before: Map<string, Family>;
let families: Map<string, Family>;
/** Labels of each name that a query can use, with those of buckets. */
const labels = new Map<string, Set<string>>();
const clients = new Clients();

beforeAll(async () => {
  gateway = await startGateway({
    servers: {
      everything: EVERYTHING,
      away: { url: 'http://127.0.0.1:9/mcp' },
      off: { url: 'http://127.0.0.1:9/mcp', disabled: true },
    },
    gateway: { metrics: { port: 0 }, policy: POLICY },
  });
  await gateway.reaches('everything', 'ready');
  await gateway.reaches('away', 'degraded');
  const url = /"metrics":"([^"]+)"/.exec(gateway.log())?.[1] ?? '';
  const scraped = async (): Promise<Map<string, Family>> => readScrape(await (await fetch(url)).text());
  before = await scraped();
  // What every metric of a query is about has happened once.
  const asked = await clients.connect('v1', { http: gateway.url }, { elicit: () => ({ action: 'decline' }) });
  await asked.call('everything__trigger-elicitation-request');
  const client = await clients.connect('v2-auto', { http: gateway.url });
  await client.call('everything__echo', { message: 'hi' });
  await client.call('everything__get-env');
  await client.call('everything__get-sum', { a: 1, b: 2 });
  await client.call('away__anything').catch(() => {});
  families = await until(
    async () => {
      const found = await scraped();
      return found.get('switchboard_asks_total')?.samples.some(({ value }) => value > 0) ? found : undefined;
    },
    () => `the question of a server among the metrics`,
  );
  for (const [name, { type, samples }] of families) {
    const own = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name];
    for (const each of own) labels.set(each, new Set(samples.flatMap((sample) => Object.keys(sample.labels))));
  }
  labels.set('up', new Set());
});

afterAll(async () => {
  await clients.close();
  await gateway?.close();
});

/** Metrics and labels of an expression that the gateway does not have. */
function unknownIn(expression: string): string[] {
  const metrics = metricsIn(expression);
  const known = new Set(metrics.flatMap((name) => [...(labels.get(name) ?? [])]));
  return [
    ...metrics.filter((name) => !labels.has(name)),
    ...labelsIn(expression)
      .filter((label) => !known.has(label))
      .map((label) => `${label} in ${expression}`),
  ];
}

const samplesOf = (of: Map<string, Family>, metric: string) => of.get(metric)?.samples ?? [];

/** The selectors of `a="b",c=~"d|e"`, as tests of labels. */
function selectorsIn(text: string): ((labels: Record<string, string>) => boolean)[] {
  return [...text.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label = '', operator = '', value = '']) => {
    const pattern = new RegExp(`^(?:${value})$`);
    return (labels) => {
      const own = labels[label] ?? '';
      const matches = operator.endsWith('~') ? pattern.test(own) : own === value;
      return operator.startsWith('!') ? !matches : matches;
    };
  });
}

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string };
}

describe('what watches the gateway', () => {
  it('has alerts of metrics and labels that there are, each with a summary of labels that it keeps', () => {
    const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
    const rules = groups.flatMap(({ rules: own }) => own);
    expect(rules.length).toBeGreaterThan(5);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, annotations, labels: own } of rules) {
      expect(alert).toMatch(/^Switchboard[A-Z]/);
      expect(['critical', 'warning', 'info']).toContain(own.severity);
      expect(metricsIn(expr), expr).not.toEqual([]);
      expect(unknownIn(expr)).toEqual([]);
      const shown = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
      const kept = [...metricsIn(expr).flatMap((name) => [...(labels.get(name) ?? [])]), 'instance'];
      for (const label of shown) expect(kept, `${alert}: ${label}`).toContain(label);
      for (const [, grouped = ''] of expr.matchAll(/\bby \(([^)]*)\)/g))
        for (const label of shown) expect(grouped.split(/, */), alert).toContain(label);
    }
  });

  it('has alerts of counters that begin at 0 for each server, so that the first that is counted is an increase', () => {
    const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
    const counted = groups
      .flatMap(({ rules }) => rules)
      // Of a rule nothing is known before it denies: that alert counts what is new from nothing.
      .filter(({ expr }) => !expr.includes('offset'))
      .flatMap(({ expr }) => [...expr.matchAll(/(?:increase|rate)\((\w+_total)\{([^}]*)\}/g)])
      .map(([, metric = '', selected = '']) => ({ metric, selected: selectorsIn(selected) }))
      .filter(({ metric }) => metric.startsWith('switchboard_'));
    expect(counted.length).toBeGreaterThanOrEqual(3);
    for (const { metric, selected } of counted) {
      const found = samplesOf(before, metric).filter(({ labels: own }) => selected.every((fits) => fits(own)));
      for (const server of ['everything', 'away']) {
        const series = found.filter(({ labels: own }) => own.switchboard_server === server);
        expect(series, `${metric} of ${server}`).not.toEqual([]);
        // A server that is away has come into that state before the first scrape, and may have called more of them then.
        if (server === 'everything') for (const { value } of series) expect(value, metric).toBe(0);
      }
    }
    const requests = (server: string, outcome: string): (number | undefined)[] =>
      [before, families].map(
        (of) =>
          samplesOf(of, 'switchboard_requests_total').find(
            ({ labels: own }) => own.switchboard_server === server && own.outcome === outcome,
          )?.value,
      );
    // By a rule, and until a person approves.
    expect(requests('everything', 'denied')).toEqual([0, 2]);
    // Nothing is known of what it offers, and still it is this server that could not be reached.
    expect(requests('away', 'failed')).toEqual([0, 1]);
  });

  it('has a dashboard of metrics and labels that there are, within the grid', () => {
    const dashboard = JSON.parse(read('deploy/grafana/switchboard.json')) as {
      panels: { targets?: { expr: string }[]; gridPos: { x: number; w: number } }[];
      templating: { list: { definition?: string }[] };
    };
    const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const variables = dashboard.templating.list.flatMap(({ definition }) => (definition ? [definition] : []));
    expect(expressions.length).toBeGreaterThan(15);
    expect([...expressions, ...variables].flatMap(unknownIn)).toEqual([]);
    for (const { gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  it('is documented with every metric that there is, and no other', () => {
    const [, table = ''] = /\| metric \| says \|\n([\s\S]*?)\n\n/.exec(read('docs/operations.md')) ?? [];
    const documented = table
      .split('\n')
      .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z0-9_]+)`/g)].map(([, name]) => name));
    const there = [...families.keys()].filter((name) => name !== 'target_info');
    expect(documented.sort()).toEqual(there.sort());
  });

  it('raises no alarm for a server that is switched off', () => {
    const up = families
      .get('switchboard_server_up')
      ?.samples.map((sample) => [sample.labels.switchboard_server, sample.value]);
    expect(up).toEqual([
      ['everything', 1],
      ['away', 0],
    ]);
  });
});
