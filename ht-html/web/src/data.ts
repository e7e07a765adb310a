// SPDX-License-Identifier: LGPL-2.1-or-later
// The data of the page, decoded as ht-html/README.md describes it.

export type Column = Int32Array | Float64Array;

export interface Suppression {
  pattern: string;
  origin: 'file' | 'embedded' | 'builtin';
  bytes: number;
  blocks: number;
}

export interface SideHead {
  files: string[];
  command: string | null;
  tool: string | null;
  start: number;
  end: string | null;
  end_value: number;
  traces: number;
  launchers: number;
  runtime_ms: number;
  longest_ms: number;
  allocations: number;
  temporary: number;
  leaked: number;
  leaked_blocks: number;
  total_bytes: number;
  peak: number;
  peak_ms: number;
  peak_blocks: number;
  largest_peak: number;
  peak_rss: number;
  own_rss: number;
  lost: number;
  freed_by_others: number;
  rounding: number;
  rounding_leaked: number;
  rss_explained: number;
  rss_heap: number;
  rss_maps: number;
  rss_rest: number;
  truncated: number;
  attached: number;
  sampled: number;
  unseen_frees: number;
  missed_frees: number;
  overflow: boolean;
  suppressed: {bytes: number; blocks: number; by: Suppression[]};
  from_ms: number | null;
  to_ms: number | null;
  at: boolean;
  series: {shift: number; n: number} | null;
  time: {shift: number; first: number; n: number; ages: boolean} | null;
}

interface Head {
  layout: number;
  tool: string;
  title: string;
  selection: string[];
  stacks: number;
  strings: string[];
  columns: Record<string, [coding: string, at: number, bytes: number,
                           count: number]>;
  now: SideHead;
  base: SideHead | null;
}

export class Data {
  readonly head: Head;
  private readonly bytes: Uint8Array;
  private readonly columns = new Map<string, Column>();

  constructor(unpacked: Uint8Array) {
    const line = unpacked.indexOf(10);
    const words = new TextDecoder().decode(unpacked.subarray(0, line))
      .split(' ');
    if (words[0] !== 'ht-html' || words[1] !== '1')
      throw new Error('this page does not know the layout of its data');
    const end = line + 1 + Number(words[2]);
    this.head = JSON.parse(
      new TextDecoder().decode(unpacked.subarray(line + 1, end)));
    this.bytes = unpacked.subarray(end + 1);
  }

  // A column, decoded when it is first asked for; empty if it is not there.
  column(name: string): Column {
    let column = this.columns.get(name);
    if (!column) {
      const entry = this.head.columns[name];
      column = entry ? decode(this.bytes, ...entry) : new Int32Array(0);
      this.columns.set(name, column);
    }
    return column;
  }

  has(name: string): boolean {
    return name in this.head.columns;
  }
}

const ZIGZAG = /[sd]/;

function decode(bytes: Uint8Array, coding: string, at: number, length: number,
  count: number): Column {
  return narrow(bytes, coding, at, count) ??
    wide(bytes, coding, at, at + length, count);
}

// Most columns fit in 32 bits; null where one does not.
function narrow(bytes: Uint8Array, coding: string, at: number,
  count: number): Int32Array | null {
  const out = new Int32Array(count);
  const zigzag = ZIGZAG.test(coding);
  const differences = coding === 'd';
  let last = 0;

  for (let i = 0; i < count; i++) {
    let byte = bytes[at++]!;
    let v = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = bytes[at++]!;
      if (shift > 21 && (shift > 28 || byte > 3))
        return null;
      v |= (byte & 0x7f) << shift;
    }
    if (zigzag)
      v = (v >>> 1) ^ -(v & 1);
    if (differences) {
      v += last;
      if (v !== (v | 0))
        return null;
      last = v;
    }
    out[i] = v;
  }
  return out;
}

function wide(bytes: Uint8Array, coding: string, at: number, end: number,
  count: number): Float64Array {
  const out = new Float64Array(count);
  const zigzag = ZIGZAG.test(coding);
  let last = 0;

  for (let i = 0; i < count && at < end; i++) {
    let scale = 1;
    let v = 0;
    let byte: number;
    do {
      byte = bytes[at++]!;
      v += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte > 0x7f);
    if (zigzag)
      v = v % 2 ? -(v + 1) / 2 : v / 2;
    if (coding === 'd')
      last = v += last;
    out[i] = v;
  }
  return out;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const modern = Uint8Array as unknown as {
    fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
  };
  if (modern.fromBase64)
    return modern.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++)
    bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export async function unpack(text: string): Promise<Data> {
  const stream = new Blob([fromBase64(text.trim())]).stream()
    .pipeThrough(new DecompressionStream('gzip'));
  return new Data(new Uint8Array(await new Response(stream).arrayBuffer()));
}
