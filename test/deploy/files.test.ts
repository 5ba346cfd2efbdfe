/** What is in `deploy/` and the release workflow: that it is well-formed, names what there is, and gives nothing away. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/load-config.ts';
import { chartValues, filledIn, merged, renderedChart } from './chart.ts';
import { MERGES } from './merges.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the container', () => {
  const stages = read('deploy/Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

  it('is built on pinned images, does not run as root, and says how it is', () => {
    const words = 'FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK ENTRYPOINT CMD'.split(' ');
    for (const line of stages) expect(words).toContain(line.split(' ', 1)[0]);
    const images = stages.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
    expect(images.length).toBeGreaterThan(1);
    for (const image of images) expect(image).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim$/);
    const last = stages.slice(stages.findLastIndex((line) => line.startsWith('FROM ')));
    expect(last.find((line) => line.startsWith('USER '))).toBe('USER 1000:1000');
    expect(last.find((line) => line.startsWith('HEALTHCHECK '))).toContain('/healthz');
    for (const line of last.filter((one) => /^(?:CMD|ENTRYPOINT) /.test(one)))
      expect(JSON.parse(line.slice(line.indexOf('[')))).toEqual(expect.any(Array));
    expect(stages.filter((line) => /^(?:ENV|ARG) .*(?:token|secret|password|key)/i.test(line))).toEqual([]);
  });

  it('copies files that there are, and leaves out what is not for it', () => {
    const copied = stages
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied) expect(() => readdirSync(join(ROOT, path, '..')), path).not.toThrow();
    for (const path of copied) expect(execFileSync('ls', ['-d', join(ROOT, path)]).length).toBeGreaterThan(0);
    expect(read('deploy/Dockerfile.dockerignore').split('\n')).toEqual(
      expect.arrayContaining(['.git', '**/node_modules', '.env*']),
    );
  });

  it('runs commands that download themselves in a folder that can be written', () => {
    expect(stages).toContain('ENV NODE_ENV=production HOME=/data');
    expect(read('deploy/systemd/switchboard.service')).toContain('\nEnvironment=HOME=/var/lib/switchboard\n');
  });
});

interface Service {
  image?: string;
  build?: object;
  volumes?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  ports?: string[];
  environment?: Record<string, string>;
  depends_on?: string[] | Record<string, object>;
  profiles?: string[];
  deploy?: { replicas: number };
}

const composed = (file: string): Record<string, Service> =>
  (parse(read(file), { customTags: MERGES }) as { services: Record<string, Service> }).services;

describe('Compose', () => {
  const one = composed('deploy/compose.yaml');
  const three = composed('deploy/replicas/compose.yaml');

  it('has Redis, a collector and, on demand, dashboards', () => {
    expect(Object.keys(one)).toEqual(['switchboard', 'redis', 'collector', 'prometheus', 'grafana']);
    expect(Object.entries(one).flatMap(([name, { profiles }]) => (profiles ? [name] : []))).toEqual([
      'prometheus',
      'grafana',
    ]);
  });

  it('has three replicas behind a balancer, which alone has a port', () => {
    expect(Object.keys(three)).toEqual(['switchboard', 'balancer']);
    expect(three.switchboard).toMatchObject({ deploy: { replicas: 3 }, ports: [] });
    expect(three.balancer?.ports).toEqual(['127.0.0.1:7300:7300']);
  });

  it.each([
    ['deploy/compose.yaml', one],
    ['deploy/replicas/compose.yaml', three],
  ])('%s: images are pinned, rights are dropped, ports are of loopback, and files are there', (_, services) => {
    const known = new Set([...Object.keys(one), ...Object.keys(three)]);
    for (const [name, service] of Object.entries(services)) {
      const isChange = name === 'switchboard' && service.image === undefined;
      if (!isChange) {
        expect(service.image, name).toMatch(/:(?!latest)[\w.-]+$/);
        expect(service.cap_drop, name).toEqual(['ALL']);
        if (!service.profiles) expect(service.read_only, name).toBe(true);
      }
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
      // Of a second file as of the first: the folder of the first.
      for (const volume of (service.volumes ?? []).filter((each) => each.startsWith('./')))
        expect(existsSync(join(ROOT, 'deploy', volume.split(':')[0] ?? '')), volume).toBe(true);
      const needed = service.depends_on ?? [];
      for (const other of Array.isArray(needed) ? needed : Object.keys(needed)) expect(known).toContain(other);
      for (const value of Object.values(service.environment ?? {})) expect(value).not.toMatch(/^[0-9a-f]{16,}$/);
    }
  });

  it.each([
    ['deploy/config/servers.json', one],
    ['deploy/replicas/servers.json', three],
  ])('%s is a configuration whose variables are set, in front of the Redis there is', async (file, services) => {
    const env = {
      ...services.switchboard?.environment,
      ...{ HOSTNAME: '0a1b2c', SWITCHBOARD_ADMIN_TOKEN: 'another-token-of-sixteen' },
    };
    const named = [...read(file).matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
    // Docker sets the name of the container itself.
    for (const name of named.filter((each) => each !== 'HOSTNAME'))
      expect(Object.keys(services.switchboard?.environment ?? {})).toContain(name);
    const { warnings, gateway } = await readConfig(read(file), '/etc/switchboard/servers.json', { env });
    expect(warnings).toEqual([]);
    expect(gateway).toMatchObject({
      stateDir: '/data',
      state: 'redis://redis:6379',
      metrics: { host: '0.0.0.0', port: 9464 },
    });
    if (services === three) expect(gateway.replica).toEqual({ host: '0.0.0.0', port: 7301, address: '0a1b2c' });
  });

  it('has files of other programs that are YAML, and lead to services and files that there are', () => {
    for (const file of ['provisioning/datasources/prometheus.yaml', 'provisioning/dashboards/switchboard.yaml'])
      expect(parse(read(`deploy/grafana/${file}`))).toMatchObject({ apiVersion: 1 });
    expect(parse(read('deploy/prometheus/prometheus.yml'))).toMatchObject({
      rule_files: ['/etc/prometheus/alerts.yml'],
      scrape_configs: [
        { job_name: 'switchboard', dns_sd_configs: [{ names: ['switchboard'], type: 'A', port: 9464 }] },
      ],
    });
  });

  it('has a collector whose pipelines are made of parts that are configured, where the gateway sends to', () => {
    const collector = parse(read('deploy/otel/collector.yaml')) as Record<string, Record<string, object>> & {
      service: { pipelines: Record<string, Record<string, string[]>> };
    };
    expect(collector.receivers).toEqual({ otlp: { protocols: { http: { endpoint: '0.0.0.0:4318' } } } });
    expect(one.switchboard?.environment?.OTEL_EXPORTER_OTLP_ENDPOINT).toBe('http://collector:4318');
    expect(Object.keys(collector.service.pipelines)).toEqual(['traces', 'metrics']);
    for (const pipeline of Object.values(collector.service.pipelines))
      for (const [part, names] of Object.entries(pipeline))
        expect(Object.keys(collector[part] ?? {}), part).toEqual(expect.arrayContaining(names));
  });
});

describe('proxies', () => {
  /** Lines without comments, without their indentation. */
  const lines = (file: string): string[] =>
    read(file)
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '');

  it('HAProxy sends nothing twice that may have run, buffers nothing, and asks replicas how they are', () => {
    const config = lines('deploy/replicas/haproxy.cfg');
    expect(config).toEqual(
      expect.arrayContaining([
        ...['retry-on conn-failure', 'timeout server 1h', 'timeout client 1h', 'balance roundrobin'],
        ...['http-check connect port 9464', 'http-check expect status 200'],
        ...[
          'http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost',
          'server-template replica 10 switchboard:7300',
        ],
      ]),
    );
    expect(config.filter((line) => /buffer|all-retryable-errors|^cookie|stick/.test(line))).toEqual([]);
  });

  it('nginx closes what it opens, passes Host on, buffers nothing and sends nothing twice', () => {
    const config = lines('deploy/proxy/nginx.conf');
    for (const line of config) expect(line).toMatch(/[;{}]$/);
    expect(config.filter((line) => line.endsWith('{'))).toHaveLength(config.filter((line) => line === '}').length);
    expect(config).toEqual(
      expect.arrayContaining([
        ...[
          'proxy_set_header Host $host;',
          'proxy_buffering off;',
          'proxy_next_upstream off;',
          'proxy_http_version 1.1;',
        ],
        ...['proxy_read_timeout 1h;', 'server 127.0.0.1:7300;'],
      ]),
    );
  });

  it('Caddy closes what it opens and sends replies on at once', () => {
    const config = lines('deploy/proxy/Caddyfile');
    expect(config.filter((line) => line.endsWith('{'))).toHaveLength(config.filter((line) => line === '}').length);
    expect(config).toEqual(expect.arrayContaining(['reverse_proxy 127.0.0.1:7300 {', 'flush_interval -1']));
  });
});

interface KubernetesObject {
  kind: string;
  metadata: { name: string };
  data: Record<string, string>;
  spec: {
    replicas?: number;
    selector: { matchLabels: object };
    template: {
      metadata: { labels: object };
      spec: {
        securityContext: object;
        containers: {
          securityContext: object;
          livenessProbe: { httpGet: object };
          readinessProbe: { httpGet: object };
          env: object[];
          ports: object[];
          envFrom: { configMapRef?: { name: string } }[];
        }[];
      };
    };
  };
}

describe('the chart', () => {
  const values = chartValues();
  const folder = 'deploy/helm/switchboard/templates';
  const rendered = (given: object): KubernetesObject[] => renderedChart<KubernetesObject>(given);
  const objects = rendered({ ...values, env: { OTEL_SERVICE_NAME: 'x: "y"' } });
  const all = (kind: string) => objects.filter((object) => object.kind === kind);
  const first = (kind: string): KubernetesObject => {
    const [found] = all(kind);
    if (!found) throw new Error(`The chart has no ${kind}.`);
    return found;
  };

  it('has values that its schema accepts, and a schema that refuses what it does not know', () => {
    const validate = new Ajv({ strict: false, validateSchema: false }).compile(
      JSON.parse(read('deploy/helm/switchboard/values.schema.json')),
    );
    expect(validate(values)).toBe(true);
    expect(validate({ ...values, replica: 2 })).toBe(false);
    expect(validate({ ...values, replicas: 0 })).toBe(false);
    expect(parse(read('deploy/helm/switchboard/Chart.yaml'))).toMatchObject({
      apiVersion: 'v2',
      appVersion: JSON.parse(read('package.json')).version,
    });
  });

  it('gives the gateway a configuration that it can read', async () => {
    const { data } = first('ConfigMap');
    const { gateway } = await readConfig(data['servers.json'] ?? '', undefined, { env: {} });
    expect(gateway.metrics).toEqual({ host: '0.0.0.0', port: 9464 });
    expect(gateway.stateDir).toBe('/data');
  });

  it('runs it without root, without a file system to write, and asks it how it is', () => {
    const { template, selector } = first('Deployment').spec;
    const [container] = template.spec.containers;
    if (!container) throw new Error('The deployment has no container.');
    expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'metrics' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'metrics' });
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    expect(first('Service').spec.selector).toEqual(selector.matchLabels);
    expect(first('PodDisruptionBudget').spec.selector).toEqual(selector);
    const maps = all('ConfigMap').map(({ metadata }) => metadata.name);
    expect(maps).toEqual(['test-switchboard', 'test-switchboard-env']);
    expect(container.envFrom[0]?.configMapRef?.name).toBe(maps[1]);
  });

  it('runs three replicas on one Redis with the values for that, each of them under its own address', async () => {
    const own = merged(values, parse(read('deploy/helm/replicas.yaml')));
    const validate = new Ajv({ strict: false, validateSchema: false }).compile(
      JSON.parse(read('deploy/helm/switchboard/values.schema.json')),
    );
    expect(validate(own)).toBe(true);
    const there = rendered(own);
    const deployment = there.find(({ kind }) => kind === 'Deployment');
    expect(deployment?.spec.replicas).toBe(3);
    const [container] = deployment?.spec.template.spec.containers ?? [];
    expect(container?.env).toContainEqual({ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
    expect(container?.ports).toContainEqual({ name: 'replica', containerPort: 7301 });
    const env = { POD_IP: '10.0.0.7', REDIS_PASSWORD: 'secret', SWITCHBOARD_ADMIN_TOKEN: 'another-token-of-sixteen' };
    const json = there.find(({ kind }) => kind === 'ConfigMap')?.data['servers.json'] ?? '';
    const { gateway, policy } = await readConfig(json, '/etc/switchboard/servers.json', { env });
    expect(gateway).toMatchObject({
      replica: { host: '0.0.0.0', port: 7301, address: '10.0.0.7' },
      ...{ state: 'redis://:secret@redis:6379', metrics: { host: '0.0.0.0', port: 9464 }, stateDir: '/data' },
    });
    expect(policy.adminToken).toBe(env.SWITCHBOARD_ADMIN_TOKEN);
  });

  it('tells how to reach it, with names that there are', () => {
    const notes = filledIn(read(`${folder}/NOTES.txt`), values);
    expect(notes).toContain(`http://${first('Service').metadata.name}:7300/mcp`);
    expect(notes).toContain(`service/${first('Service').metadata.name} 7300:7300`);
  });
});

describe('the systemd unit', () => {
  it('is one that systemd takes, with nothing but what it needs', async () => {
    const unit = read('deploy/systemd/switchboard.service');
    for (const line of ['DynamicUser=yes', 'ProtectSystem=strict', 'NoNewPrivileges=yes', 'CapabilityBoundingSet='])
      expect(unit.split('\n')).toContain(line);
    const sections = unit.split('\n').filter((line) => line.startsWith('['));
    expect(sections).toEqual(['[Unit]', '[Service]', '[Install]']);
    for (const line of unit.split('\n').filter((one) => one !== '' && !/^[#[]/.test(one)))
      expect(line).toMatch(/^[A-Z]\w+=/);
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-unit-'));
    try {
      const file = join(folder, 'switchboard.service');
      writeFileSync(file, unit);
      const { stderr } = await promisify(execFile)('systemd-analyze', ['verify', file]).catch((error) => error);
      // Where there is no systemd, or the command is not installed, nothing is said about lines of the unit.
      expect(String(stderr ?? '')).not.toMatch(/switchboard\.service:\d+/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the release workflow', () => {
  it('publishes with provenance and a bill of materials, and has no rights beyond that', () => {
    const workflow = parse(read('.github/workflows/release.yml')) as {
      permissions: object;
      jobs: Record<string, { permissions: object; steps: { run?: string; uses?: string }[] }>;
    };
    expect(workflow.permissions).toEqual({});
    const { publish } = workflow.jobs;
    expect(publish?.permissions).toEqual({ contents: 'write', 'id-token': 'write' });
    const runs = publish?.steps.map(({ run = '' }) => run).join('\n') ?? '';
    expect(runs).toContain('npm publish --provenance');
    expect(runs).toContain('npm sbom');
    expect(read('.github/workflows/release.yml')).not.toMatch(/NODE_AUTH_TOKEN|NPM_TOKEN|secrets\./);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const [, script = ''] of runs.matchAll(/npm run (\S+)/g)) expect(Object.keys(scripts)).toContain(script);
  });
});
