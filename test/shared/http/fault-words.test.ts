import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { allRoutes } from '../../../functions/operations/all-routes.ts';
import { validate } from '../../../functions/shared/http/validate.ts';
import { Problem } from '../../../functions/shared/problem.ts';

interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly allOf?: readonly Node[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
}

type Step = string | number;

/** A field, and what stands around it so that its schema is looked at. */
interface Field {
  readonly path: readonly Step[];
  readonly node: Node;
  readonly around: (value: unknown) => unknown;
}

const DEPTH_MAX = 5;

/** Each field of a body, of each of the forms that this may have. */
function fieldsOf(root: Node): Field[] {
  const found: Field[] = [];
  const walk = ({ path, node, around }: Field): void => {
    if (path.length > DEPTH_MAX) return;
    if (node.$ref) {
      const target = root.$defs?.[node.$ref.replace('#/$defs/', '')];
      if (target && path.length < DEPTH_MAX) walk({ path, node: target, around });
      return;
    }
    if (path.length > 0) found.push({ path, node, around });
    for (const branch of [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]) {
      walk({ path, node: branch, around });
    }
    const constants = Object.entries(node.properties ?? {}).flatMap(([name, it]) =>
      it.const === undefined ? [] : [[name, it.const]],
    );
    for (const [name, it] of Object.entries(node.properties ?? {})) {
      walk({
        path: [...path, name],
        node: it,
        around: (value) => around({ ...Object.fromEntries(constants), [name]: value }),
      });
    }
    const { items, additionalProperties: more } = node;
    if (items) walk({ path: [...path, 0], node: items, around: (value) => around([value]) });
    if (more && typeof more === 'object') {
      walk({ path: [...path, 'a'], node: more, around: (value) => around({ a: value }) });
    }
  };
  walk({ path: [], node: root, around: (value) => value });
  return found;
}

const WRONG = [null, true, 7.5, -1, 1e30, '', 'x'.repeat(70_000), 'a\0', [], {}, [7], { a: 7 }];

interface Fault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

function faultsOf(schema: z.ZodType, value: unknown, root?: string): readonly Fault[] {
  try {
    validate(schema, value, root);
    return [];
  } catch (error) {
    if (error instanceof Problem) return error.facts.errors ?? [];
    throw error;
  }
}

/** Words that are the schema library's own, and patterns. */
const RAW = /invalid|expected|received|undefined|unrecognized|too (small|big)|nan\b|\\|\/\^|\[/i;

/** What no field of such a type takes, with which its fault is certain to be told. */
const OTHER: Readonly<Record<string, unknown>> = {
  string: true,
  boolean: 'a',
  array: true,
  object: true,
  integer: true,
  number: true,
};

const bodies = allRoutes.flatMap(({ method, path, body }) =>
  body ? [{ name: `${method} ${path}`, body }] : [],
);
const queries = allRoutes.flatMap(({ method, path, query }) =>
  query ? [{ name: `${method} ${path}`, query }] : [],
);

describe('the faults of every body', () => {
  it.each(bodies)('of $name are told in plain words', ({ body }) => {
    const json = z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) as Node;
    const fields = fieldsOf(json);
    const tried = [
      ...[undefined, null, 7, 'text', [], {}].map((value) => value as unknown),
      ...fields.flatMap(({ around }) => WRONG.map(around)),
    ];
    const words = new Set(tried.flatMap((it) => faultsOf(body, it).map(({ detail }) => detail)));
    expect([...words].filter((it) => RAW.test(it) || it === '')).toEqual([]);
  });

  it.each(bodies)('of $name stand at their field', ({ body }) => {
    const json = z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) as Node;
    for (const { path, node, around } of fieldsOf(json)) {
      if (node.type === undefined || !(node.type in OTHER)) continue;
      const pointer = path.map((it) => `/${it}`).join('');
      const pointers = faultsOf(body, around(OTHER[node.type])).map((it) => it.pointer);
      expect(pointers, `${pointer}: ${JSON.stringify(node)}`).toContain(pointer);
    }
  });
});

describe('the faults of every query', () => {
  it.each(queries)('of $name are told in plain words', ({ query }) => {
    const names = Object.keys((query as z.ZodObject).shape ?? {});
    const tried = names.flatMap((name) =>
      ['', 'x'.repeat(3_000), 'a,b', '-1'].map((it) => ({ [name]: it })),
    );
    const words = new Set(
      tried.flatMap((it) => faultsOf(query, it, '?').map(({ detail }) => detail)),
    );
    expect([...words].filter((it) => RAW.test(it) || it === '')).toEqual([]);
  });
});
