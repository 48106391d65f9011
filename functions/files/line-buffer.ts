import { KIB } from '../shared/units.ts';

const ROOM_FIRST = 64 * KIB;

/** Bytes that lines are written to, one behind the other. The memory is used again and again. */
export class LineBuffer {
  /** Bytes written since the last `take`. */
  length = 0;
  protected bytes = Buffer.alloc(ROOM_FIRST);

  /** What was written, until the next line takes its place. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.length = 0;
    return taken;
  }

  /** Sees to it that so many bytes can be written. */
  protected makeRoom(room: number): void {
    if (this.length + room <= this.bytes.length) return;
    const larger = Buffer.alloc(Math.max(this.length + room, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
