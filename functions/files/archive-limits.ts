import { GIB } from '../shared/units.ts';
import { FileFault } from './file-fault.ts';

/** More than this is no file of users. */
export const ROWS_MAX = 20_000_000;
/** A file may have this many bytes once it is unpacked. */
export const UNPACKED_BYTES_MAX = 5 * GIB;
/** Nothing that tells users apart packs better; what does was made to fill memories. */
export const ARCHIVE_RATIO_MAX = 200;
/** Each part of an archive costs a decompressor, however little is in it. */
export const ARCHIVE_PARTS_MAX = 10_000;
/** Of alerts, whose objects repeat the names of all columns for each user. */
export const ALERT_BYTES_MAX = 20 * GIB;

const SPLIT = 'Split the file and upload its parts.';

/** Throws FileFault when a file has more bytes than one may have. */
export function checkUnpackedSize(bytes: number): void {
  if (bytes <= UNPACKED_BYTES_MAX) return;
  const detail = `The file has more than ${UNPACKED_BYTES_MAX} bytes. ${SPLIT}`;
  throw new FileFault({ code: 'file_too_large', detail });
}

/** Throws FileFault when a file becomes more than the archive it came in can be worth. */
export function checkArchiveRatio(unpackedBytes: number, packedBytes: number): void {
  if (unpackedBytes <= ARCHIVE_RATIO_MAX * packedBytes) return;
  const detail = `Unpacked, the file is over ${ARCHIVE_RATIO_MAX} times as large. Upload it so.`;
  throw new FileFault({ code: 'archive_ratio', detail });
}

/** Throws FileFault when an archive has more members or frames than one may have. */
export function checkArchiveParts(parts: number): void {
  if (parts <= ARCHIVE_PARTS_MAX) return;
  const detail = `The archive has more than ${ARCHIVE_PARTS_MAX} parts. Pack the file as one.`;
  throw new FileFault({ code: 'archive_ratio', detail });
}

/** Throws FileFault when a file becomes more bytes of alerts than one may. */
export function checkAlertBytes(bytes: number, most = ALERT_BYTES_MAX): void {
  if (bytes <= most) return;
  const detail = `The alerts of the file have more than ${most} bytes. ${SPLIT}`;
  throw new FileFault({ code: 'file_too_large', detail });
}

/** Throws FileFault when a file has more rows than one may have. */
export function checkRows(rows: number): void {
  if (rows <= ROWS_MAX) return;
  const detail = `The file has more than ${ROWS_MAX} rows. ${SPLIT}`;
  throw new FileFault({ code: 'file_too_large', row: ROWS_MAX + 1, detail });
}

/** The fault of a file whose reading would take longer than a worker may. */
export function readsTooLong(): FileFault {
  const detail = `Reading the file takes longer than 14 minutes. ${SPLIT}`;
  return new FileFault({ code: 'file_too_large', detail });
}

/** The fault of an archive that ends too early or was changed on its way. */
export function brokenArchive(): FileFault {
  const detail = 'The archive is cut off or damaged. Pack the file again and upload it anew.';
  return new FileFault({ code: 'archive_truncated', detail });
}
