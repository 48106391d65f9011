import { createHash } from 'node:crypto';
import { type Answer, route } from '../shared/http/route.ts';
import { getDocsRoute, getDocsUiRoute, getOpenApiRoute } from './contract.ts';
import { DOCS_PAGE, PAGE_HEADERS, UI_HEADERS } from './docs-page.ts';
import { servedAt } from './open-api.ts';

/** The files that are deployed beside the code of the function. */
type Files = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** GET /openapi.json: docs/openapi.json, with the address under which it was asked for. */
export const getOpenApi = (files: Files) =>
  route(getOpenApiRoute, async ({ header }) => {
    const document = Buffer.from(await files('openapi.json')).toString();
    const body = servedAt(document, header('x-forwarded-proto'), header('host'));
    const answer = { body, headers: { 'cache-control': 'no-cache' } };
    return unlessKnown(header('if-none-match'), answer);
  });

/** GET /docs: the same as a page. */
export const getDocs = route(getDocsRoute, async ({ header }) =>
  unlessKnown(header('if-none-match'), { body: DOCS_PAGE, headers: PAGE_HEADERS }),
);

/** GET /docs/ui.js: the code of the page, compressed when it was built. */
export const getDocsUi = (files: Files) =>
  route(getDocsUiRoute, async ({ header }) => {
    const answer = { body: await files('ui.js.gz'), headers: UI_HEADERS };
    return unlessKnown(header('if-none-match'), answer);
  });

/** With an ETag; 304 and no body for who has it already. */
function unlessKnown<Body extends string | Uint8Array<ArrayBuffer>>(
  known: string | undefined,
  { body, headers }: Required<Pick<Answer<Body>, 'body' | 'headers'>>,
): Answer<Body | string> {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const isKnown = known?.split(/\s*,\s*/).some((it) => it.replace(/^W\//, '') === etag) ?? false;
  const { 'content-encoding': _none, ...bare } = headers;
  if (isKnown) return { status: 304, body: '', headers: { ...bare, etag } };
  return { body, headers: { ...headers, etag } };
}
