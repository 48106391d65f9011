import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import type { Contract } from '../../functions/shared/http/route.ts';
import { OUT_OF_DATE } from './generated-part.ts';
import { openApiDocument } from './openapi/document.ts';
import { readExamples } from './openapi/examples.ts';
import { nodesOf } from './openapi/json-nodes.ts';
import { isJson, readRooms, statusesOf } from './openapi/route-table.ts';

const FILE = 'docs/openapi.json';
const wanted = `${JSON.stringify(await openApiDocument(), null, 2)}\n`;
if (process.env.UPDATE_DOCS) writeFileSync(FILE, wanted);

const text = readFileSync(FILE, 'utf8');
const document = JSON.parse(text);
const nodes = [...nodesOf(document)];
const { operations, eventTypes } = await readRooms();

it('is committed as the route tables say it', () => {
  expect(text === wanted, OUT_OF_DATE).toBe(true);
});

describe('the linter', () => {
  const lint = async (source: string) => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      // Nothing that a caller sends can be wrong with GET /health and the like.
      rules: { 'operation-4xx-response': 'off' },
      telemetry: 'off',
    });
    const faults = await lintFromString({ source, absoluteRef: resolve(FILE), config });
    return faults.map(({ ruleId, message, location }) => [
      ruleId,
      message,
      location.map(({ pointer }) => pointer),
    ]);
  };

  it('finds nothing', async () => {
    expect(await lint(text)).toEqual([]);
  });

  it('finds an error that is planted', async () => {
    const planted = text.replace('"operationId": "createAccount"', '"operationId": "health"');

    expect(planted).not.toBe(text);
    expect(await lint(planted)).not.toEqual([]);
  });
});

/** Whether a body of it may be `{}`. A change that changes nothing is rather a mistake. */
const saysNothing = ({ method, body }: Contract) =>
  method === 'POST' && body?.safeParse({}).success === true;

describe('every operation', () => {
  it.each(operations.map(({ id, contract }) => [id, contract] as const))('%s', (id, contract) => {
    const { [contract.method.toLowerCase()]: operation } = document.paths[contract.path];

    expect(operation.operationId).toBe(id);
    for (const status of statusesOf(contract)) {
      expect(Object.keys(operation.responses)).toContain(String(status));
    }
    expect(Boolean(operation.requestBody)).toBe(Boolean(contract.body ?? contract.takesBytes));
    expect(contract.mayLackBody ?? false).toBe(saysNothing(contract) && id !== 'createWebhook');
    expect(operation.security).toHaveLength(contract.access === 'public' ? 0 : 1);
    for (const parameter of contract.path.matchAll(/\{(\w+)\}/g)) {
      expect(operation.parameters).toContainEqual(
        expect.objectContaining({ in: 'path', name: parameter[1], required: true }),
      );
    }
  });

  it('has an example', () => {
    const { operations: examples } = readExamples();
    const without = operations.filter(({ id, contract }) => isJson(contract) && !examples[id]);

    expect(
      without.map(({ id }) => id),
      'add a step to test/support/walk/steps.ts and record it (see docs-examples.test.ts)',
    ).toEqual([]);
  });
});

it('has a webhook for every event type of the rooms', () => {
  expect(Object.keys(document.webhooks)).toEqual(Object.keys(eventTypes));
});

it('refers only to what it has, and leaves nothing unused', () => {
  const references = nodes.flatMap(({ value }) =>
    typeof value.$ref === 'string' ? [value.$ref] : [],
  );
  const parts = Object.entries<object>(document.components).flatMap(([kind, some]) =>
    Object.keys(some).map((name) => `#/components/${kind}/${name}`),
  );
  const schemes = Object.keys(document.components.securitySchemes);
  const used = new Set([
    ...references,
    ...schemes.map((name) => `#/components/securitySchemes/${name}`),
  ]);

  expect(references.filter((it) => !parts.includes(it))).toEqual([]);
  expect(parts.filter((it) => !used.has(it))).toEqual([]);
});

it('names every component for people', () => {
  expect(Object.keys(document.components.schemas).filter((it) => !/^[A-Z]\w+$/.test(it))).toEqual(
    [],
  );
});

describe('every example fits its schema', () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const shown = nodes.filter(({ value }) => value.schema && value.examples);

  it('and there are some', () => {
    expect(shown.length).toBeGreaterThan(2 * Object.keys(readExamples().operations).length);
  });

  it.each(shown.map((it) => [it.pointer, it.value] as const))('%s', (pointer, { examples }) => {
    const validate = ajv.compile({ $ref: `openapi#${encodeURI(pointer)}/schema` });
    const resolved = Object.values(examples as Record<string, { $ref?: string; value?: unknown }>);
    for (const { $ref, value } of resolved) {
      const example = $ref
        ? document.components.examples[$ref.split('/').at(-1) ?? ''].value
        : value;
      expect(validate(example), ajv.errorsText(validate.errors)).toBe(true);
    }
  });
});

it('tells in its schemas everything that webhooks hold', () => {
  const { webhooks } = readExamples();
  const seen = Object.entries(webhooks).filter(([type]) => type in eventTypes);

  for (const [type, webhook] of seen) {
    const { data } = webhook as { readonly data: unknown };
    // What the schema does not name is left out.
    expect(eventTypes[type]?.data.parse(data), type).toEqual(data);
  }
  expect(seen).not.toEqual([]);
});

it('sends requests as examples that the contracts take', () => {
  const { operations: examples } = readExamples();
  const refused = operations.filter(({ id, contract }) => {
    const body = examples[id]?.body;
    return contract.body && body !== undefined && !contract.body.safeParse(body).success;
  });

  expect(refused.map(({ id }) => id)).toEqual([]);
});
