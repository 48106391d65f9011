/** What a server is called by: a name or an address, perhaps with a port. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/i;

interface OpenApi {
  readonly servers: readonly { readonly url: string }[];
}

/**
 * The document with the address of the API that serves it, so that a copy knows where it is from.
 * API Gateway says the protocol; the local cloud, which speaks HTTP, says nothing. A host that is
 * none leaves the document as it is, with a relative address.
 */
export function servedAt(
  document: string,
  protocol: string | undefined,
  host: string | undefined,
): string {
  if (host === undefined || !HOST.test(host)) return document;
  const parsed: OpenApi = JSON.parse(document);
  const [server, ...others] = parsed.servers;
  const url = `${protocol === undefined ? 'http' : 'https'}://${host}`;
  // The member stays where it was.
  return JSON.stringify({ ...parsed, servers: [{ ...server, url }, ...others] });
}
