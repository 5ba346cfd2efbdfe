/**
 * Schemas of what `deploy/` is made of: of each format the members that are used here, and no others, so that a misspelt one is found.
 * Sources: compose-spec/compose-spec schema/compose-spec.json; the Kubernetes API of apps/v1, v1 and policy/v1; the workflow syntax of
 * GitHub Actions.
 * @module
 */
import { Ajv, type AnySchema } from 'ajv';

const text = { type: 'string', minLength: 1 } as const;
const texts = { type: 'array', items: text } as const;
const flag = { type: 'boolean' } as const;
const closed = (properties: Record<string, unknown>, required: readonly string[] = []) =>
  ({ type: 'object', properties, required, additionalProperties: false }) as const;
const mapOf = (values: unknown) => ({ type: 'object', additionalProperties: values }) as const;
const listOf = (items: unknown, more: object = {}) => ({ type: 'array', items, ...more }) as const;
const duration = { type: 'string', pattern: '^(?:\\d+(?:h|m|s|ms|us))+$' } as const;
const label = { type: 'string', maxLength: 63, pattern: '^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$' } as const;
const labels = mapOf(label);
const port = { type: 'integer', minimum: 1, maximum: 65_535 } as const;
/** Names of objects are those of DNS; of ports they are shorter. */
const name = { type: 'string', maxLength: 253, pattern: '^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$' } as const;
const portName = { type: 'string', maxLength: 15, pattern: '^(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*$' } as const;

const composeService = closed({
  build: closed({ context: text, dockerfile: text }, ['context']),
  image: text,
  command: texts,
  read_only: flag,
  tmpfs: texts,
  cap_drop: texts,
  security_opt: texts,
  user: text,
  restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
  stop_grace_period: duration,
  environment: mapOf({ type: ['string', 'number', 'boolean', 'null'] }),
  volumes: listOf({ type: 'string', pattern: '^[^:]+:/[^:]*(?::ro|:rw)?$' }),
  ports: listOf({ type: 'string', pattern: '^(?:[\\d.]+:)?\\d+:\\d+$' }),
  profiles: texts,
  depends_on: {
    oneOf: [
      texts,
      mapOf(
        closed({ condition: { enum: ['service_started', 'service_healthy', 'service_completed_successfully'] } }, [
          'condition',
        ]),
      ),
    ],
  },
  healthcheck: closed({ test: { type: 'array', items: text, minItems: 2 }, interval: duration, timeout: duration }, [
    'test',
  ]),
  deploy: closed({ replicas: { type: 'integer', minimum: 1 } }),
});

const COMPOSE = closed({ name: text, services: mapOf(composeService), volumes: mapOf({ type: 'null' }) }, ['services']);

const metadata = closed({ name, labels, annotations: mapOf({ type: 'string' }) }, ['name']);
const selector = closed({ matchLabels: labels }, ['matchLabels']);
const quantity = { type: 'string', pattern: '^\\d+(?:\\.\\d+)?(?:m|k|Ki|M|Mi|G|Gi)?$' } as const;
const probe = closed(
  {
    httpGet: closed({ path: { type: 'string', pattern: '^/' }, port: { anyOf: [port, portName] } }, ['path', 'port']),
    failureThreshold: { type: 'integer', minimum: 1 },
    periodSeconds: { type: 'integer', minimum: 1 },
  },
  ['httpGet'],
);
const container = closed(
  {
    name: portName,
    image: { type: 'string', pattern: '^[\\w./-]+:[\\w.-]+$' },
    imagePullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    envFrom: listOf(closed({ configMapRef: closed({ name }, ['name']), secretRef: closed({ name }, ['name']) })),
    env: listOf(
      closed(
        {
          name: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
          valueFrom: closed({ fieldRef: closed({ fieldPath: text }, ['fieldPath']) }),
        },
        ['name'],
      ),
    ),
    ports: listOf(closed({ name: portName, containerPort: port }, ['containerPort'])),
    startupProbe: probe,
    livenessProbe: probe,
    readinessProbe: probe,
    resources: closed({ requests: mapOf(quantity), limits: mapOf(quantity) }),
    securityContext: closed({
      allowPrivilegeEscalation: flag,
      readOnlyRootFilesystem: flag,
      capabilities: closed({ drop: texts }),
    }),
    volumeMounts: listOf(
      closed({ name: portName, mountPath: { type: 'string', pattern: '^/' }, readOnly: flag }, ['name', 'mountPath']),
    ),
  },
  ['name', 'image'],
);
const volume = {
  ...closed({ name: portName, configMap: closed({ name }, ['name']), emptyDir: closed({}) }, ['name']),
  minProperties: 2,
  maxProperties: 2,
};
const pod = closed(
  {
    automountServiceAccountToken: flag,
    terminationGracePeriodSeconds: { type: 'integer', minimum: 0 },
    topologySpreadConstraints: listOf(
      closed(
        {
          maxSkew: { type: 'integer', minimum: 1 },
          topologyKey: text,
          whenUnsatisfiable: { enum: ['DoNotSchedule', 'ScheduleAnyway'] },
          labelSelector: selector,
        },
        ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
      ),
    ),
    securityContext: closed({
      runAsNonRoot: flag,
      runAsUser: { type: 'integer' },
      runAsGroup: { type: 'integer' },
      fsGroup: { type: 'integer' },
      seccompProfile: closed({ type: { enum: ['RuntimeDefault', 'Unconfined'] } }, ['type']),
    }),
    containers: listOf(container, { minItems: 1 }),
    volumes: listOf(volume),
  },
  ['containers'],
);
const numberOrShare = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: '^\\d+%$' },
  ],
} as const;

const object = (apiVersion: string, kind: string, members: Record<string, unknown>, required: readonly string[]) =>
  closed({ apiVersion: { const: apiVersion }, kind: { const: kind }, metadata, ...members }, [
    'apiVersion',
    'kind',
    'metadata',
    ...required,
  ]);

const KUBERNETES: Readonly<Record<string, AnySchema>> = {
  ConfigMap: object('v1', 'ConfigMap', { data: mapOf({ type: 'string' }) }, []),
  Service: object(
    'v1',
    'Service',
    {
      spec: closed(
        {
          selector: labels,
          ports: listOf(closed({ name: portName, port, targetPort: { anyOf: [port, portName] } }, ['port']), {
            minItems: 1,
          }),
        },
        ['ports'],
      ),
    },
    ['spec'],
  ),
  PodDisruptionBudget: object(
    'policy/v1',
    'PodDisruptionBudget',
    { spec: closed({ maxUnavailable: numberOrShare, selector }, ['selector']) },
    ['spec'],
  ),
  Deployment: object(
    'apps/v1',
    'Deployment',
    {
      spec: closed(
        {
          replicas: { type: 'integer', minimum: 0 },
          strategy: closed({ rollingUpdate: closed({ maxUnavailable: numberOrShare, maxSurge: numberOrShare }) }),
          selector,
          template: closed({ metadata: closed({ labels, annotations: mapOf({ type: 'string' }) }), spec: pod }, [
            'metadata',
            'spec',
          ]),
        },
        ['selector', 'template'],
      ),
    },
    ['spec'],
  ),
};

const permissions = mapOf({ enum: ['read', 'write', 'none'] });
const step = {
  ...closed({
    name: text,
    id: text,
    if: text,
    // Of an action its version is part of the name.
    uses: { type: 'string', pattern: '^[\\w.-]+/[\\w./-]+@[\\w.-]+$' },
    with: mapOf({ type: ['string', 'number', 'boolean'] }),
    run: text,
    env: mapOf({ type: ['string', 'number', 'boolean'] }),
    'working-directory': text,
  }),
  oneOf: [{ required: ['uses'] }, { required: ['run'] }],
};

const WORKFLOW = closed(
  {
    name: text,
    on: { anyOf: [texts, mapOf({})] },
    permissions,
    concurrency: closed({ group: text, 'cancel-in-progress': { type: ['boolean', 'string'] } }, ['group']),
    env: mapOf({ type: ['string', 'number', 'boolean'] }),
    jobs: mapOf(
      closed(
        {
          name: text,
          needs: { anyOf: [text, texts] },
          if: text,
          'runs-on': text,
          'timeout-minutes': { type: 'integer', minimum: 1 },
          environment: text,
          permissions,
          strategy: closed({ 'fail-fast': flag, matrix: mapOf({}) }),
          env: mapOf({ type: ['string', 'number', 'boolean'] }),
          steps: listOf(step, { minItems: 1 }),
        },
        ['runs-on', 'steps'],
      ),
    ),
  },
  ['on', 'jobs'],
);

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });

/** What a schema finds wrong: a line each. */
function mistakes(schema: AnySchema, value: unknown): string[] {
  const validate = ajv.compile(schema);
  validate(value);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  );
}

export const composeMistakes = (value: unknown): string[] => mistakes(COMPOSE, value);

export const workflowMistakes = (value: unknown): string[] => mistakes(WORKFLOW, value);

export function kubernetesMistakes(value: { kind: string }): string[] {
  const schema = KUBERNETES[value.kind];
  return schema ? mistakes(schema, value) : [`There is no schema of a ${value.kind}.`];
}
