import { readFileSync } from 'node:fs';
import { createDocument, type oas31, type ZodOpenApiPathsObject } from 'zod-openapi';
import { nameSchemas } from './component-names.ts';
import { readExamples } from './examples.ts';
import { operationObject } from './operation-object.ts';
import { nameRecursion } from './recursion.ts';
import { soleRefusals } from './refused-answers.ts';
import { readRooms } from './route-table.ts';
import { SHARED_PARTS } from './shared-parts.ts';
import { tagsOf } from './tags.ts';
import { webhookObject } from './webhook-object.ts';
import { wireForms } from './wire-forms.ts';

const DESCRIPTION = `A serverless ledger with guaranteed webhooks.

**Money** is a string of integer minor units, always with its currency. **Times** are RFC 3339 in
UTC. A field that is absent is left out, not null.

**Keys** go into \`Authorization: Bearer …\`. A request that got no answer is repeated with the same
\`Idempotency-Key\`: it has one effect. \`X-Request-Id\` (\`^[\\w-]{1,64}$\`) is echoed, and
\`traceparent\` is carried to the webhooks that a request causes.

**Lists** are newest first, unless they say otherwise, and up to a second old. \`nextCursor\` of a
page opens the next one. Where few of many are wanted, a page may be short, or empty, before the
last: \`hasMore\` says whether there is another one.

**Refusals** are RFC 9457 problem documents. \`code\` says what to do; new codes may be added.

The examples were recorded from a running installation; keys, secrets and addresses are replaced.`;

/** The whole contract of the API as OpenAPI 3.1, from the route tables of the rooms. */
export async function openApiDocument(): Promise<oas31.OpenAPIObject> {
  const rooms = await readRooms();
  const examples = readExamples();
  nameSchemas(rooms);
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of rooms.operations) {
    const { method, path } = operation.contract;
    const object = operationObject(operation, examples);
    paths[path] = { ...paths[path], [method.toLowerCase()]: object };
  }
  const webhooks = Object.entries(rooms.eventTypes).map(
    ([type, row]) => [type, webhookObject(type, row, examples)] as const,
  );
  const refusals = Object.entries(examples.refusals).map(([code, value]) => [code, { value }]);
  const { version, license } = JSON.parse(readFileSync('package.json', 'utf8'));
  const document = createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Tallyhook',
        version,
        description: DESCRIPTION,
        license: { name: 'Apache License 2.0', identifier: license },
      },
      servers: [{ url: '/', description: 'The installation that serves this document.' }],
      tags: [
        ...tagsOf(rooms.operations.map(({ room }) => room)),
        { name: 'Event types', description: 'What Tallyhook itself sends to endpoints.' },
      ],
      paths,
      webhooks: Object.fromEntries(webhooks),
      components: {
        ...SHARED_PARTS,
        responses: soleRefusals(rooms.operations, examples),
        examples: Object.fromEntries(refusals),
      },
    },
    { override: wireForms },
  );
  return nameRecursion(document as oas31.OpenAPIObject);
}
