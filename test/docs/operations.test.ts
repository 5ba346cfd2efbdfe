/** docs/operations.md: every file it names is there, every command can be typed, every setting is one, every alert is explained. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/load-config.ts';
import { blocksOf } from './blocks.ts';
import { PAGES, read, shell } from './pages.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = 'docs/operations.md';
const text = read(PAGE);
const blocks = blocksOf(text);

describe('docs/operations.md', () => {
  it('names files of deploy/ that there are, and all of them but what those name themselves', () => {
    const named = [...text.matchAll(/\bdeploy\/[\w./-]*\w/g)].map(([path]) => path);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const inPage = new Set(named);
    const shown = [
      ...['deploy/Dockerfile', 'deploy/compose.yaml', 'deploy/replicas/compose.yaml', 'deploy/replicas/servers.json'],
      ...['deploy/replicas/haproxy.cfg', 'deploy/systemd/switchboard.service', 'deploy/helm/switchboard'],
      ...[
        'deploy/helm/replicas.yaml',
        'deploy/proxy/Caddyfile',
        'deploy/proxy/nginx.conf',
        'deploy/otel/collector.yaml',
      ],
      ...['deploy/prometheus/alerts.yml', 'deploy/prometheus/prometheus.yml', 'deploy/grafana/switchboard.json'],
    ];
    expect(shown.filter((path) => !inPage.has(path))).toEqual([]);
  });

  it('has commands that a shell reads, of programs it says are needed', () => {
    const programs = ['npm', 'install', 'systemctl', 'docker', 'export', 'kubectl', 'helm', 'sqlite3'];
    const operator = shell(PAGE, 'operator');
    expect(operator.length).toBeGreaterThan(5);
    for (const { text: script } of operator) {
      execFileSync('bash', ['-n'], { input: script });
      for (const line of script.replaceAll('\\\n', ' ').trim().split('\n')) {
        expect(programs, line).toContain(line.split(' ', 1)[0]);
        for (const [, file = ''] of line.matchAll(/ -f (\S+)/g)) expect(existsSync(join(ROOT, file)), line).toBe(true);
      }
    }
  });

  it('has settings that the gateway takes', async () => {
    const env = {
      SWITCHBOARD_TOKEN: 'a-token-of-sixteen-characters',
      REDIS_PASSWORD: 'secret',
      POD_IP: '10.0.0.7',
      ADMIN_LOGIN_SECRET: 'another',
    };
    const settings = blocks.filter(({ language }) => language === 'json');
    expect(settings.filter(({ kind }) => kind === 'log')).toHaveLength(1);
    for (const { kind, text: json } of settings) {
      if (kind === 'log')
        expect(Object.keys(JSON.parse(json))).toEqual(expect.arrayContaining(['level', 'time', 'msg']));
      else await expect(readConfig(json, '/etc/switchboard/servers.json', { env }), json).resolves.toBeDefined();
    }
  });

  it('shows an alert as it stands in the file, and says of each what to look at', () => {
    const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: { alert: string }[] }[] };
    const rules = groups.flatMap(({ rules: own }) => own);
    const [example] = parse(blocks.find(({ kind }) => kind === 'alert')?.text ?? '') as { alert: string }[];
    expect(rules).toContainEqual(example);
    const [, table = ''] = /\| alert \| what to look at \|\n([\s\S]*?)\n\n/.exec(text) ?? [];
    const explained = table.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)]);
    expect(explained.map(([, name]) => name).sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  it('is what the README leads to', () => {
    expect(read('README.md')).toContain('(docs/operations.md)');
  });
});

it('commands for operators stand in no other page than that one', () => {
  expect(PAGES.filter((page) => page !== PAGE && shell(page, 'operator').length > 0)).toEqual([]);
});
