import { isIP } from 'node:net';
import { Problem } from '../problem.ts';
import { type AddressClass, classifyAddress } from './allowed-address.ts';

/** `public` is the rule of AWS. `loopback` besides lets this machine's own receivers be reached. */
export type Egress = 'public' | 'loopback';

export interface UrlRules {
  readonly egress: Egress;
  /** Hosts of our own API, `name` or `name:port`: nobody may make Tallyhook call itself. */
  readonly ownHosts: readonly string[];
}

/** A URL that may be called, if its host also leads to an allowed address. */
export interface AllowedUrl {
  /** The one form in which it is stored: what the parser understood, and no fragment. */
  readonly href: string;
  readonly protocol: 'https:' | 'http:';
  readonly origin: string;
  /** A name without a trailing dot, or an IP address without brackets. */
  readonly hostname: string;
  /** Where the host leads, if it is an IP address, so that there is no name to look up. */
  readonly literal: AddressClass | undefined;
  /** The value of the `host` header. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** The rule it was judged by, which judges the addresses of its host as well. */
  readonly egress: Egress;
  /** Set when only a receiver on this machine may be called this way. */
  readonly loopbackOnly: boolean;
  /** Set when our own API listens on this machine at this port, where a name may lead as well. */
  readonly isOwnPort: boolean;
}

const DEFAULT_PORTS = { 'https:': 443, 'http:': 80 };
const PUBLIC_PORTS: readonly number[] = [443, 8443];
/** Longer ones are refused by proxies and servers on the way. */
const URL_LENGTH_MAX = 2_048;

/** Parses a URL once. Throws `url_not_allowed` with a detail that names the rule it breaks. */
export function allowUrl(text: string, { egress, ownHosts }: UrlRules): AllowedUrl {
  const url = parse(text);
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  const isPublicForm = url.protocol === 'https:' && PUBLIC_PORTS.includes(port);

  if (url.username !== '' || url.password !== '') refuse('The URL must not hold a user name.');
  if (egress === 'public' && url.protocol !== 'https:') refuse('The URL must begin with https://.');
  if (egress === 'public' && !isPublicForm) refuse('The port must be 443 or 8443.');

  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isOwnPort = ownHosts.some(
    (own) => isHere(own.replace(/:\d+$/, '')) && portOf(own) === port,
  );
  if ((isOwnPort && isHere(hostname)) || ownHosts.some((own) => isSameHost(own, url))) {
    refuse('The URL must not be that of this API.');
  }
  return {
    href: url.href,
    protocol: url.protocol,
    origin: url.origin,
    hostname,
    literal: isIP(hostname) === 0 ? undefined : classifyAddress(hostname),
    host: url.host,
    port,
    path: url.pathname + url.search,
    egress,
    loopbackOnly: !isPublicForm,
    isOwnPort,
  };
}

type HttpUrl = URL & { protocol: 'https:' | 'http:' };

function parse(text: string): HttpUrl {
  if (text.length > URL_LENGTH_MAX) refuse(`The URL has more than ${URL_LENGTH_MAX} characters.`);
  const url = URL.parse(text);
  if (!url || !isHttp(url)) return refuse('The URL must be a complete https:// address.');
  if (url.href.includes('#')) url.hash = '';
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  if (url.hostname.split('.').includes('')) refuse('The host of the URL has an empty part.');
  return url;
}

function isHttp(url: URL): url is HttpUrl {
  return url.protocol === 'https:' || url.protocol === 'http:';
}

function isSameHost(own: string, url: URL): boolean {
  const host = own.toLowerCase().replace(/\.(?=$|:)/, '');
  return host === url.hostname || host === url.host;
}

/** A spelling of this machine, of which it has many. */
function isHere(hostname: string): boolean {
  return /(^|\.)localhost$/.test(hostname) || classifyAddress(hostname) === 'loopback';
}

function portOf(own: string): number {
  return Number(/:(\d+)$/.exec(own)?.[1] ?? DEFAULT_PORTS['http:']);
}

function refuse(detail: string): never {
  throw new Problem('url_not_allowed', { detail });
}
