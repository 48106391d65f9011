/** How a file is read, approved and sent. Whatever a request leaves out has a default. */
export interface FileTerms {
  readonly eventType: string;
  /** A name of the header line, or the number of a column from 1. */
  readonly idColumn: string | number;
  readonly message?: string | undefined;
  readonly onUnknown: 'resend' | 'stop';
  /** Undefined: it is found out from the first bytes. */
  readonly format?: FileFormat | undefined;
  /** Undefined: UTF-8, unless a byte order mark says otherwise. */
  readonly encoding?: FileEncoding | undefined;
  readonly onMalformed: OnMalformed;
  /** With `ask`: above this share of malformed rows a person has to approve. */
  readonly maxMalformedShare: number;
  /** Also when the same bytes went to this endpoint within a day. */
  readonly allowRepeat: boolean;
  /** Alerts a second of this file at most, where the endpoint bears more. */
  readonly ratePerSecond?: number | undefined;
  /** Whether its alerts begin by themselves or wait for a person. */
  readonly release: 'auto' | 'manual';
}

export type FileFormat = 'csv' | 'ndjson';
/** `utf-16` is either order of bytes: a mark, or what the first bytes look like, says which. */
export const ENCODINGS = ['utf-8', 'utf-16', 'utf-16le', 'utf-16be', 'windows-1252'] as const;
export type FileEncoding = (typeof ENCODINGS)[number];
/** Malformed rows: ask a person when there are many, leave them out, or fail the whole file. */
export type OnMalformed = 'ask' | 'skip' | 'fail';

/** What holds where neither the file nor its endpoint says anything. */
export const TERMS_DEFAULT = {
  eventType: 'alert',
  idColumn: 'user_id',
  onMalformed: 'ask',
  maxMalformedShare: 0.05,
  allowRepeat: false,
  release: 'auto',
} as const;

/** What a request says; the endpoint says the rest, or else the defaults do. */
export function termsOf(
  said: { readonly [Name in keyof FileTerms]?: FileTerms[Name] | undefined },
  {
    onUnknown,
    fileDefaults,
  }: {
    readonly onUnknown: FileTerms['onUnknown'];
    readonly fileDefaults?: Partial<FileTerms> | undefined;
  },
): FileTerms {
  const given = Object.entries(said).filter(([, value]) => value !== undefined);
  return { ...TERMS_DEFAULT, onUnknown, ...fileDefaults, ...Object.fromEntries(given) };
}
