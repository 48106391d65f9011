import type { oas31 } from 'zod-openapi';

const PREFIX = '#/components/schemas/';

/**
 * A schema that holds itself, such as any JSON, comes out as two: the one that its contract names,
 * which only refers, and the one that it refers to, which has no good name. Makes one of them.
 */
export function nameRecursion(document: oas31.OpenAPIObject): oas31.OpenAPIObject {
  const schemas = document.components?.schemas ?? {};
  const named = Object.entries(schemas).find(
    ([, it]) => '$ref' in it && it.$ref?.startsWith(`${PREFIX}__`),
  );
  if (!named) return document;
  const [name, { $ref = '', ...about }] = named;
  const { [$ref.slice(PREFIX.length)]: whole, ...others } = schemas;
  const merged = {
    ...document,
    components: { ...document.components, schemas: { ...others, [name]: { ...about, ...whole } } },
  };
  return nameRecursion(JSON.parse(JSON.stringify(merged).replaceAll($ref, PREFIX + name)));
}
