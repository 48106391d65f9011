import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from 'zod-openapi';
import type { Contract } from '../../../functions/shared/http/route.ts';
import type { Example, Examples } from './examples.ts';
import { refusedAnswers } from './refused-answers.ts';
import { isJson, type Operation, statusesOf } from './route-table.ts';
import { type HeaderName, headers } from './shared-parts.ts';
import { tagOf } from './tags.ts';

/** What OpenAPI says of one route. */
export function operationObject(
  { id, room, contract }: Operation,
  examples: Examples,
): ZodOpenApiOperationObject {
  const { params, query, body, idempotencyKey } = contract;
  const example = examples.operations[id];
  const key = idempotencyKey === 'required' ? 'IdempotencyKeyRequired' : 'IdempotencyKey';
  return {
    operationId: id,
    tags: [tagOf(room)],
    summary: contract.summary,
    description: accessSentence(contract),
    security: securityOf(contract),
    requestParams: { ...(params && { path: params }), ...(query && { query }) },
    ...(idempotencyKey && { parameters: [{ $ref: `#/components/parameters/${key}` }] }),
    ...(body && {
      requestBody: {
        required: !contract.mayLackBody,
        content: {
          'application/json': {
            schema: body,
            ...(example?.body !== undefined && { examples: shown(example.body) }),
          },
        },
      },
    }),
    ...(contract.takesBytes && { requestBody: ANY_BYTES }),
    responses: {
      ...Object.fromEntries(
        statusesOf(contract).map((it) => [it, successOf(contract, it, example)] as const),
      ),
      ...refusedAnswers(contract, examples),
    },
  };
}

/** What a signature is over: these bytes, whatever they are. */
const ANY_BYTES = { required: true, content: { '*/*': { schema: {} } } };

function accessSentence({ access }: Contract): string {
  if (access === 'public') return 'Needs no key.';
  if (access === 'admin') return 'Needs the admin key.';
  return access === 'tenant'
    ? 'Needs any key of a tenant.'
    : `Needs a key of a tenant with the scope \`${access}\`.`;
}

function securityOf({ access }: Contract): Record<string, string[]>[] {
  if (access === 'public') return [];
  if (access === 'admin') return [{ adminKey: [] }];
  return [{ tenantKey: access === 'tenant' ? [] : [access] }];
}

/** The headers that every success of a route has. Only keys of tenants have a limit. */
export function headersOf(contract: Contract): HeaderName[] {
  const hasLimit = contract.access !== 'public' && contract.access !== 'admin';
  return [
    'X-Request-Id',
    ...(contract.reply.otherStatuses?.includes(304) ? (['ETag'] as const) : []),
    ...(hasLimit ? (['RateLimit-Policy', 'RateLimit'] as const) : []),
  ];
}

function successOf(
  contract: Contract,
  status: number,
  example: Example | undefined,
): ZodOpenApiResponseObject {
  const { reply, idempotencyKey } = contract;
  const named = headers(
    ...headersOf(contract),
    ...(idempotencyKey ? (['Idempotent-Replayed'] as const) : []),
  );
  const description = STATUS_TEXT[status] ?? 'Done.';
  if (status === 304) return { description, headers: named };
  if (!isJson(contract)) {
    const [type = ''] = reply.contentType?.split(';') ?? [];
    const isObject = type === 'application/json';
    const schema = { type: isObject ? ('object' as const) : ('string' as const) };
    return { description, headers: named, content: { [type]: { schema } } };
  }
  const examples = example?.status === status ? { examples: shown(example.answer) } : {};
  const content = { 'application/json': { schema: reply.schema, ...examples } };
  return { description, headers: named, content };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'The answer.',
  201: 'Created.',
  202: 'Accepted.',
  304: 'Not changed since the ETag that was sent.',
  503: 'Something is late or does not answer: see `checks`.',
};

function shown(value: unknown) {
  return { example: { value } };
}
