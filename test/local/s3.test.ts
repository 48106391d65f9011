import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import type { CreatedEvent } from '../../local/s3/catalog.ts';
import { withoutChunks } from '../../local/s3/chunked.ts';
import { readForm } from '../../local/s3/form.ts';
import { rangeOf } from '../../local/s3/object-actions.ts';
import { LOCAL_KEYS } from '../../local/s3/policy.ts';
import { s3Server } from '../../local/s3/server.ts';
import { ObjectStore } from '../../local/s3/store.ts';
import { eventually } from '../support/until.ts';

const Bucket = 'files';
let dir: string;
let told: CreatedEvent[];
let store: ObjectStore;
let server: Server;
let s3: S3Client;
let url: string;

function openStore(tell = async (event: CreatedEvent) => void told.push(event)): ObjectStore {
  const paths = { dir: join(dir, 's3'), catalogFile: join(dir, 's3.db') };
  return new ObjectStore(paths, { all: [Bucket, 'quiet'], telling: [Bucket] }, tell);
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 's3-test-'));
  told = [];
  store = openStore();
  server = s3Server(store);
  url = `http://127.0.0.1:${await listenExactly(server, 0)}`;
  s3 = new S3Client({
    endpoint: url,
    region: 'us-east-1',
    credentials: LOCAL_KEYS,
    forcePathStyle: true,
  });
});

afterEach(async () => {
  s3.destroy();
  await closeServer(server);
  store.close();
  rmSync(dir, { recursive: true });
});

const put = (Key: string, Body: string | Uint8Array, bucket = Bucket) =>
  s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: 'text/csv' }));

async function get(Key: string, more: { VersionId?: string; Range?: string } = {}) {
  const { Body, ContentRange } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { body: (await Body?.transformToString()) ?? '', range: ContentRange };
}

describe('objects', () => {
  it('come back as they were put, with their type and metadata', async () => {
    const Metadata = { 'tallyhook-type': 'x' };
    const command = { Bucket, Key: 'a/ü &.csv', Body: 'é', ContentType: 'text/csv', Metadata };
    await s3.send(new PutObjectCommand(command));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/ü &.csv' }));
    expect(head).toMatchObject({ ContentLength: 2, ContentType: 'text/csv', Metadata });
    expect((await get('a/ü &.csv')).body).toBe('é');
  });

  it('may be streams of unknown checksum, which the SDK sends in chunks', async () => {
    const Body = Readable.from([Buffer.from('one,'), Buffer.from('two')]);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body, ContentLength: 7 }));
    expect((await get('k')).body).toBe('one,two');
  });

  it('keep every version', async () => {
    const first = await put('k', 'first');
    const second = await put('k', 'second');
    expect(first.VersionId).not.toBe(second.VersionId);
    expect((await get('k')).body).toBe('second');
    expect((await get('k', { VersionId: String(first.VersionId) })).body).toBe('first');
  });

  it('are hidden by a delete and stay under their version', async () => {
    const { VersionId } = await put('k', 'text');
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await expect(get('k')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect((await get('k', { VersionId: String(VersionId) })).body).toBe('text');
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId }));
    await expect(get('k', { VersionId: String(VersionId) })).rejects.toThrow('version');
  });

  it.each([
    ['bytes=0-0', 'a', 'bytes 0-0/5'],
    ['bytes=1-3', 'bcd', 'bytes 1-3/5'],
    ['bytes=3-', 'de', 'bytes 3-4/5'],
    ['bytes=3-99', 'de', 'bytes 3-4/5'],
    ['bytes=-2', 'de', 'bytes 3-4/5'],
    ['bytes=-99', 'abcde', 'bytes 0-4/5'],
    ['bytes=3-1', 'abcde', undefined],
  ])('answer the range %s of a version with %s', async (Range, body, range) => {
    const { VersionId = '' } = await put('k', 'abcde');
    await put('k', 'other');
    expect(await get('k', { VersionId, Range })).toEqual({ body, range });
  });

  it('refuse a range behind their end', async () => {
    expect(rangeOf('bytes=4-', 5)).toEqual({ start: 4, end: 4 });
    expect(() => rangeOf('bytes=5-', 5)).toThrow('range');
    await store.put({ bucket: Bucket, key: 'empty', headers: {} }, bytes('', 1));
    expect(await get('empty')).toEqual({ body: '', range: undefined });
  });

  it('are listed by prefix, page by page, and folded at the delimiter', async () => {
    for (const key of ['a/1', 'a/2', 'a/b/3', 'b', 'c']) await put(key, 'x');
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'b' }));
    const list = (more: object) => s3.send(new ListObjectsV2Command({ Bucket, ...more }));
    const keys = ({ Contents = [] }: { Contents?: { Key?: string | undefined }[] | undefined }) =>
      Contents.map((it) => it.Key);

    expect(keys(await list({}))).toEqual(['a/1', 'a/2', 'a/b/3', 'c']);
    expect(keys(await list({ Prefix: 'a/b' }))).toEqual(['a/b/3']);
    const folded = await list({ Prefix: 'a/', Delimiter: '/' });
    expect(keys(folded)).toEqual(['a/1', 'a/2']);
    expect(folded.CommonPrefixes).toEqual([{ Prefix: 'a/b/' }]);

    const first = await list({ MaxKeys: 3 });
    expect(keys(first)).toEqual(['a/1', 'a/2', 'a/b/3']);
    const second = await list({ MaxKeys: 3, ContinuationToken: first.NextContinuationToken });
    expect([keys(second), second.IsTruncated]).toEqual([['c'], false]);
  });

  it('are listed version by version, the latest first, page by page', async () => {
    for (const key of ['v/a b+é&\u0001', 'v/b', 'v/b', 'v/c', 'w']) await put(key, 'x');
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'v/c' }));
    const list = (more: object) =>
      s3.send(
        new ListObjectVersionsCommand({ Bucket, Prefix: 'v/', EncodingType: 'url', ...more }),
      );
    const seen: string[] = [];
    const ids = new Set<string>();
    let after: object | undefined = {};
    for (let pages = 0; after; pages += 1) {
      const page: Awaited<ReturnType<typeof list>> = await list({ MaxKeys: 1, ...after });
      for (const it of page.Versions ?? []) {
        seen.push(`${decodeURIComponent(it.Key ?? '')} ${it.IsLatest}`);
        ids.add(it.VersionId ?? '');
      }
      for (const it of page.DeleteMarkers ?? []) seen.push(`${it.Key} deleted ${it.IsLatest}`);
      const KeyMarker = decodeURIComponent(page.NextKeyMarker ?? '');
      after = page.IsTruncated
        ? { KeyMarker, VersionIdMarker: page.NextVersionIdMarker }
        : undefined;
      expect(pages).toBeLessThan(6);
    }
    expect(seen).toEqual([
      ...['v/a b+é&\u0001 true', 'v/b true', 'v/b false'],
      ...['v%2Fc deleted true', 'v/c false'],
    ]);
    expect(ids.size).toBe(4);
  });

  it('can be sent in parts', async () => {
    const upload = { Bucket, Key: 'big' };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
    const part = async (PartNumber: number, Body: string) => {
      const { ETag } = await s3.send(
        new UploadPartCommand({ ...upload, UploadId, PartNumber, Body }),
      );
      return { PartNumber, ETag };
    };
    const Parts = [await part(2, 'two'), await part(1, 'one')].reverse();
    await s3.send(
      new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }),
    );
    expect((await get('big')).body).toBe('onetwo');
    expect(told.map(({ key, reason }) => [key, reason])).toEqual([
      ['big', 'CompleteMultipartUpload'],
    ]);
    expect(readdirSync(join(dir, 's3', 'parts'))).toEqual([]);
  });

  it('are refused in a bucket that is not there', async () => {
    await expect(put('k', 'x', 'nowhere')).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});

describe('presigned forms', () => {
  const sign = (conditions: Record<string, unknown>[] | unknown[] = [], Expires = 60) =>
    createPresignedPost(s3, {
      Bucket,
      Key: 'incoming/x',
      Expires,
      Conditions: conditions as never,
    });

  async function send(fields: Record<string, string>, content: string): Promise<[number, string]> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append('file', new Blob([content]), 'name.csv');
    const reply = await fetch(`${url}/${Bucket}`, { method: 'POST', body: form });
    return [reply.status, (await reply.text()).match(/<Message>(.*)<\/Message>/)?.[1] ?? ''];
  }

  it.each([
    [3, 400],
    [4, 204],
    [6, 204],
    [7, 400],
  ])('take 4 to 6 bytes, so that %i bytes are a %i', async (bytes, status) => {
    const { fields } = await sign([['content-length-range', 4, 6]]);
    expect((await send(fields, 'x'.repeat(bytes)))[0]).toBe(status);
    expect(told).toHaveLength(status === 204 ? 1 : 0);
    expect(readdirSync(join(dir, 's3', 'drafts'))).toEqual([]);
  });

  it('store the bytes under the signed key', async () => {
    const { fields } = await sign();
    const content = `line\r\n--almost a boundary\r\n${'é'.repeat(100_000)}`;
    expect(await send(fields, content)).toEqual([204, '']);
    expect((await get('incoming/x')).body).toBe(content);
    expect(told).toMatchObject([{ key: 'incoming/x', reason: 'PostObject' }]);
  });

  it.each([
    ['another key', { key: 'incoming/y' }, 403, 'Policy Condition failed'],
    [
      'a field that was not signed',
      { 'x-amz-meta-a': '1' },
      403,
      'Extra input fields: x-amz-meta-a',
    ],
    ['another signature', { 'X-Amz-Signature': '00' }, 403, 'signature'],
    ['no signature', { 'X-Amz-Signature': '' }, 400, 'must contain a field'],
    ['another policy', { Policy: 'e30=' }, 403, 'signature'],
    ['a policy that is missing', { Policy: '' }, 403, 'must contain a policy'],
    ['keys of somebody else', { 'X-Amz-Credential': 'AKIA/a/b/s3/c' }, 403, 'access key'],
  ])('refuse %s', async (_, change, status, message) => {
    const { fields } = await sign();
    const [seen, said] = await send({ ...fields, ...change } as Record<string, string>, 'x');
    expect([seen, said]).toEqual([status, expect.stringContaining(message)]);
    expect(told).toEqual([]);
  });

  it('refuse a form that has expired', async () => {
    const { fields } = await sign([], -1);
    expect(await send(fields, 'x')).toEqual([403, expect.stringContaining('Policy expired')]);
  });

  it('allow what a condition says by its beginning', async () => {
    const { fields } = await sign([['starts-with', '$x-amz-meta-a', 'ab']]);
    expect((await send({ ...fields, 'x-amz-meta-a': 'abc' }, 'x'))[0]).toBe(204);
    expect((await send({ ...fields, 'x-amz-meta-a': 'ba' }, 'x'))[0]).toBe(403);
  });
});

describe('readForm', () => {
  const FORM =
    '--B\r\nContent-Disposition: form-data; name="Key"\r\n\r\nk\r\n--B\r\n' +
    'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n1\r\n--\r\n2\r\n--B--\r\n';

  it.each([1, 2, 3, 7, 1_000])('reads a form that comes %i bytes at a time', async (size) => {
    const { fields, file, fileName } = await readForm(
      'multipart/form-data; boundary=B',
      bytes(FORM, size),
    );
    expect([...fields]).toEqual([['key', 'k']]);
    expect([fileName, await text(Readable.from(file))]).toEqual(['f', '1\r\n--\r\n2']);
  });

  it.each([
    ['multipart/form-data', FORM, 'not a form'],
    ['multipart/form-data; boundary=B', '--B--', 'no file'],
    ['multipart/form-data; boundary=B', '--B\r\nContent-Disp', 'not complete'],
  ])('refuses %s with %j', async (type, form, message) => {
    await expect(readForm(type, bytes(form, 5))).rejects.toThrow(message);
  });

  it('refuses fields beyond 20 KB', async () => {
    const head = '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n';
    const field = `${head}${'x'.repeat(21_000)}\r\n--B--`;
    const form = readForm('multipart/form-data; boundary=B', bytes(field, 1_000));
    await expect(form).rejects.toThrow('too large');
  });
});

describe('withoutChunks', () => {
  const BODY = '3;chunk-signature=aa\r\nabc\r\n2\r\n\r\n\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n';

  it.each([1, 2, 5, 1_000])(
    'takes the bytes out of chunks that come %i at a time',
    async (size) => {
      expect(await text(Readable.from(withoutChunks(bytes(BODY, size))))).toBe('abc\r\n');
    },
  );

  it.each(['3\r\nab', 'zz\r\n', ''])('refuses %j', async (body) => {
    await expect(text(Readable.from(withoutChunks(bytes(body, 2))))).rejects.toThrow('complete');
  });
});

describe('after a crash', () => {
  it('nothing is left of an upload that was cut off', async () => {
    const upload = request(`${url}/${Bucket}/cut`, {
      method: 'PUT',
      headers: { 'content-length': 9 },
    });
    upload.on('error', () => undefined);
    upload.write('half');
    const drafts = () => readdirSync(join(dir, 's3', 'drafts'));
    await eventually(() => expect(drafts()).toHaveLength(1));
    upload.destroy();
    await eventually(() => expect(drafts()).toEqual([]));
    await expect(get('cut')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('drafts and bytes that no version names are removed', async () => {
    await put('kept', 'text');
    writeFileSync(join(dir, 's3', 'drafts', 'a'), '');
    writeFileSync(join(dir, 's3', 'versions', 'b'), '');
    openStore().close();
    expect(readdirSync(join(dir, 's3', 'drafts'))).toEqual([]);
    expect(readdirSync(join(dir, 's3', 'versions'))).toHaveLength(1);
    expect((await get('kept')).body).toBe('text');
  });

  it('an event that nobody took is told again, and one that was taken is not', async () => {
    await put('taken', 'x');
    await eventually(() => expect(told).toHaveLength(1));
    const deaf = openStore(() => Promise.reject(new Error('the queue is down')));
    await deaf.put({ bucket: Bucket, key: 'open', headers: {} }, bytes('x', 1));
    deaf.close();

    const reopened = openStore();
    await reopened.tellAll();
    expect(told.map(({ key }) => key)).toEqual(['taken', 'open']);
    reopened.close();
  });

  it('a bucket without EventBridge tells nothing', async () => {
    await put('k', 'x', 'quiet');
    await store.tellAll();
    expect(told).toEqual([]);
  });
});

async function* bytes(content: string, size: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(content);
  for (let i = 0; i < all.length; i += size) yield all.subarray(i, i + size);
}
