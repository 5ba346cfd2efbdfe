/** Whether the tools that read what is in `deploy/` and the release workflow would take it, said by readers of their formats. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderedChart } from './chart.ts';
import { dockerfileMistakes } from './dockerfile.ts';
import { MERGES } from './merges.ts';
import { composeMistakes, kubernetesMistakes, workflowMistakes } from './schemas.ts';
import { unitMistakes } from './unit.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the Dockerfile', () => {
  it('is one that a builder takes, stage by stage', () => {
    expect(dockerfileMistakes(read('deploy/Dockerfile'))).toEqual([]);
  });

  it.each([
    ['FORM node:24', /no instruction/],
    ['FROM node:24 AS Build image', /names its stage badly/],
    ['FROM node:24\nCOPY --form=build /a /b', /no flag --form/],
    ['FROM node:24\nCOPY --from=build /a /b', /no stage before/],
    ['FROM node:24\nWORKDIR app', /not absolute/],
    ['FROM node:24\nENV HOME /data', /not NAME=value/],
    ["FROM node:24\nCMD ['serve']", /no list of words/],
    ['FROM node:24\nCMD ["a"]\nCMD ["b"]', /overrides/],
    ['FROM node:24\nHEALTHCHECK --interval=15 CMD true', /no time/],
    ['FROM node:24\nEXPOSE http', /no port/],
    ['FROM node:24\nRUN a && \\', /goes on|says nothing/],
  ])('a mistake in it is found: %j', (text, mistake) => {
    const found = (): string => dockerfileMistakes(text).join('\n');
    if (text.endsWith('\\')) expect(found).toThrow(mistake);
    else expect(found()).toMatch(mistake);
  });
});

describe('Compose', () => {
  it.each(['deploy/compose.yaml', 'deploy/replicas/compose.yaml'])(
    '%s has nothing but members that there are, of their types',
    (file) => {
      expect(composeMistakes(parse(read(file), { customTags: MERGES }))).toEqual([]);
    },
  );

  it('a misspelt member, a missing condition and a wrong type are found', () => {
    const service = (members: object): string =>
      composeMistakes({ services: { one: { image: 'a:1', ...members } } }).join('\n');
    expect(service({})).toBe('');
    expect(service({ readonly: true })).toContain('readonly');
    expect(service({ depends_on: { two: {} } })).toContain('condition');
    expect(service({ read_only: 'yes' })).toContain('/services/one/read_only');
    expect(service({ ports: ['7300'] })).toContain('/services/one/ports/0');
  });
});

describe('the chart', () => {
  it.each([undefined, 'deploy/helm/replicas.yaml'])(
    'makes objects that Kubernetes takes, with the values of %s',
    (file) => {
      const objects = renderedChart(file && read(file));
      expect(objects.map(({ kind }) => kind).sort()).toEqual([
        'ConfigMap',
        'ConfigMap',
        'Deployment',
        'PodDisruptionBudget',
        'Service',
      ]);
      expect(objects.flatMap(kubernetesMistakes)).toEqual([]);
    },
  );

  it('mounts volumes that it has, and asks ports that it has', () => {
    const deployment = renderedChart().find(({ kind }) => kind === 'Deployment');
    const { containers = [], volumes = [] } = (deployment?.spec?.template.spec ?? {}) as {
      containers?: { ports: { name: string }[]; volumeMounts: { name: string }[] }[];
      volumes?: { name: string }[];
    };
    const [container] = containers;
    expect(container?.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.map(({ name }) => name).sort());
    expect(container?.ports.map(({ name }) => name)).toEqual(expect.arrayContaining(['mcp', 'metrics']));
  });

  it('a misspelt field, a wrong type and a label that is none are found', () => {
    const [map] = renderedChart();
    expect(kubernetesMistakes({ ...map, dat: {} } as never).join()).toContain('dat');
    expect(kubernetesMistakes({ ...map, data: { a: 1 } } as never).join()).toContain('/data/a');
    const long = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', labels: { a: 'x'.repeat(64) } } };
    expect(kubernetesMistakes(long).join()).toContain('/metadata/labels/a');
    expect(kubernetesMistakes({ kind: 'Pod' })).toEqual(['There is no schema of a Pod.']);
  });
});

describe('the systemd unit', () => {
  it('has directives that there are, each in its section with a value that it takes', () => {
    expect(unitMistakes(read('deploy/systemd/switchboard.service'))).toEqual([]);
  });

  it('a misspelt directive, one in the wrong section and a wrong value are found', () => {
    const found = unitMistakes(
      '[Service]\nExecStrat=/bin/true\nProtectHome=maybe\nWantedBy=x.target\nnonsense\n[Timer]\n',
    );
    expect(found).toEqual([
      '2: [Service] has no ExecStrat.',
      '3: ProtectHome does not take "maybe".',
      '4: [Service] has no WantedBy.',
      '5: It is no directive: nonsense',
      '6: There is no section Timer.',
    ]);
  });
});

describe('workflows', () => {
  const files = readdirSync(join(ROOT, '.github/workflows')).map((file) => `.github/workflows/${file}`);

  it.each(files)('%s has nothing but members that there are, of their types', (file) => {
    expect(workflowMistakes(parse(read(file)))).toEqual([]);
  });

  it('the release checks and tests before it publishes, and publishes before it announces', () => {
    const { jobs } = parse(read('.github/workflows/release.yml')) as {
      jobs: Record<string, { steps: { run?: string }[] }>;
    };
    const runs = (jobs.publish?.steps ?? []).map(({ run = '' }) => run);
    const at = (words: string): number => runs.findIndex((run) => run.includes(words));
    const order = [
      'npm ci',
      'npm run check',
      'npm run test:all',
      'npm sbom',
      'npm publish --provenance',
      'gh release create',
    ].map(at);
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    // Both bills of materials that are made are part of the release.
    for (const [, file = ''] of runs.join('\n').matchAll(/> (sbom\S+)/g)) expect(runs.at(-1)).toContain(file);
  });
});
