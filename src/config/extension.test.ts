// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ConfigExtension } from './extension.ts';
import { loadFile } from './load.ts';
import { fileFormat } from './schema/file.ts';
import { configFile, removeTemporaryFolders } from './testing/files.ts';

afterEach(removeTemporaryFolders);

interface Pages {
  title: string;
  /** By server name. */
  teams: Record<string, string>;
}

const gatewayShape = { pageTitle: z.string().max(20).default('Gateway').meta({ description: 'Title of the page.' }) };
const serverShape = { team: z.string().optional().meta({ description: 'Whose server it is.' }) };

/** Keys of a page that shows which team owns which server. */
const pages: ConfigExtension<Pages> = {
  gatewayShape,
  serverShape,
  verbatimIds: () => [],
  open: ({ sections }) => {
    const teams: Record<string, string> = {};
    return {
      lines: [],
      authenticates: () => false,
      async server(name, raw, path) {
        const entry = sections.read(z.strictObject(serverShape), raw, path)?.value;
        if (entry?.team !== undefined) teams[name] = entry.team;
      },
      async gateway(raw) {
        const entry = sections.read(z.strictObject(gatewayShape), raw, ['gateway'])?.value;
        return entry && { title: entry.pageTitle, teams };
      },
    };
  },
};

const format = fileFormat(pages, []);

async function load(content: object, env: Record<string, string> = {}) {
  const file = await configFile(content);
  return loadFile({ file, env, cwd: dirname(file) }, format);
}

describe('an extension of the configuration', () => {
  it('reads its own keys, with variables, beside those of the gateway and the servers', async () => {
    const content = {
      servers: { a: { url: 'http://a', team: '${TEAM}' }, b: { url: 'http://b' } },
      gateway: { port: 1 },
    };
    const { extension, gateway, servers } = await load(content, { TEAM: 'search' });
    expect(extension).toEqual({ title: 'Gateway', teams: { a: 'search' } });
    expect(gateway.port).toBe(1);
    expect(servers.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('reports mistakes in its keys with their places, and offers its keys for unknown ones', async () => {
    const content = {
      servers: { a: { url: 'http://a', taem: 'x' } },
      gateway: { pageTitle: 'x'.repeat(30), port: 'y' },
    };
    const { message } = await load(content).then(
      () => new Error('it loaded'),
      (error: Error) => error,
    );
    expect(message.split('\n')).toEqual([
      expect.stringMatching(/^servers\.json:5:7 servers\.a\.taem: found an unknown key; did you mean "team"\?/),
      expect.stringMatching(/^servers\.json:9:5 gateway\.pageTitle: .* allowed: a string of 0 to 20 characters\.$/),
      expect.stringMatching(/^servers\.json:10:5 gateway\.port: found "y"; allowed: a whole number/),
    ]);
  });

  it('has its keys in the schema for editors', () => {
    expect(format.editorSchema()).toMatchObject({
      definitions: { server: { properties: { team: { description: 'Whose server it is.' } } } },
      properties: { gateway: { properties: { pageTitle: { default: 'Gateway' } } } },
    });
  });
});
