import type { Version } from './catalog.ts';
import type { ObjectStore } from './store.ts';
import { xml, xmlDocument } from './xml.ts';

const PAGE_MAX = 1_000;

/** ListObjectsV2: keys after the token, those behind a delimiter folded into common prefixes. */
export function listObjects(store: ObjectStore, bucket: string, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const max = Math.min(Number(query.get('max-keys') ?? PAGE_MAX), PAGE_MAX);
  const token = query.get('continuation-token');
  const start = token ? Buffer.from(token, 'base64url').toString() : query.get('start-after');
  const page = collect(store, { bucket, prefix, delimiter, after: start ?? '', max });
  return xmlDocument('ListBucketResult', [
    xml('Name', bucket),
    xml('Prefix', prefix),
    xml('MaxKeys', max),
    xml('KeyCount', page.versions.length + page.prefixes.length),
    xml('IsTruncated', String(page.next !== undefined)),
    ...(page.next === undefined
      ? []
      : [xml('NextContinuationToken', Buffer.from(page.next).toString('base64url'))]),
    ...page.versions.map(contents),
    ...page.prefixes.map((it) => xml('CommonPrefixes', [xml('Prefix', it)])),
  ]);
}

/** ListObjectVersions: every version of every key, delete markers among them. */
export function listVersions(store: ObjectStore, bucket: string, query: URLSearchParams): string {
  const max = Math.min(Number(query.get('max-keys') ?? PAGE_MAX), PAGE_MAX);
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : (key: string) => key;
  const found = store.listVersions(bucket, {
    prefix: query.get('prefix') ?? '',
    after: query.get('key-marker') ?? '',
    afterVersion: query.get('version-id-marker') ?? undefined,
    max: max + 1,
  });
  const shown = found.slice(0, max);
  const last = found.length > max ? shown.at(-1) : undefined;
  const facts = (it: (typeof shown)[number]) => [
    xml('Key', encode(it.key)),
    xml('VersionId', it.version_id),
    xml('IsLatest', String(it.is_latest === 1)),
    xml('LastModified', new Date(it.modified_ms).toISOString()),
  ];
  return xmlDocument('ListVersionsResult', [
    xml('Name', bucket),
    xml('MaxKeys', max),
    xml('IsTruncated', String(last !== undefined)),
    ...(last
      ? [xml('NextKeyMarker', encode(last.key)), xml('NextVersionIdMarker', last.version_id)]
      : []),
    ...shown.map((it) =>
      it.is_marker
        ? xml('DeleteMarker', facts(it))
        : xml('Version', [
            ...facts(it),
            xml('ETag', `"${it.etag}"`),
            xml('Size', it.bytes),
            xml('StorageClass', 'STANDARD'),
          ]),
    ),
  ]);
}

interface Listing {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly max: number;
}

interface ListingPage {
  readonly versions: Version[];
  readonly prefixes: string[];
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined;
}

function collect(store: ObjectStore, listing: Listing): ListingPage {
  const { bucket, prefix, delimiter, max } = listing;
  const versions: Version[] = [];
  const prefixes: string[] = [];
  let after = listing.after;
  for (;;) {
    const found = store.list(bucket, { prefix, after, max: PAGE_MAX });
    for (const version of found) {
      const folder = folderOf(version.key, prefix, delimiter);
      if (folder === undefined || folder !== prefixes.at(-1)) {
        if (versions.length + prefixes.length >= max) return { versions, prefixes, next: after };
        if (folder === undefined) versions.push(version);
        else prefixes.push(folder);
      }
      after = version.key;
    }
    if (found.length < PAGE_MAX) return { versions, prefixes, next: undefined };
  }
}

function folderOf(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

const contents = ({ key, modified_ms, etag, bytes }: Version): string =>
  xml('Contents', [
    xml('Key', key),
    xml('LastModified', new Date(modified_ms).toISOString()),
    xml('ETag', `"${etag}"`),
    xml('Size', bytes),
    xml('StorageClass', 'STANDARD'),
  ]);
