// SPDX-License-Identifier: LGPL-2.1-or-later
// Numbers and names as the commands print them: libht/fmt.h has the rules.

export type Unit = 'bytes' | 'count';

export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}

// n / unit with three digits in all, more if they are before the point.
function threeDigits(n: number, unit: number, name: string): string {
  let decimals = 2;
  let v = 0n;

  for (const scale of [100n, 10n, 1n]) {
    v = (BigInt(Math.round(n)) * scale + BigInt(unit) / 2n) / BigInt(unit);
    if (v < 1000n || decimals === 0)
      break;
    decimals--;
  }
  if (decimals === 0)
    return `${v} ${name}`;
  const digits = String(v).padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)} ${name}`;
}

export function bytes(n: number): string {
  const names = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 1000;
  let i = 0;

  if (n < 1000)
    return `${n} B`;
  // 999.5 would be printed as 1000.
  while (i + 1 < names.length && n >= unit * 1000 - unit / 2) {
    unit *= 1000;
    i++;
  }
  return threeDigits(n, unit, names[i]!);
}

// "" of nothing.
export function percent(part: number, whole: number): string {
  if (whole <= 0)
    return '';
  const tenths = Math.floor((part * 1000 + Math.floor(whole / 2)) / whole);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

export function ms(n: number): string {
  const s = Math.floor(n / 1000);

  if (n < 600 * 1000)
    return threeDigits(n, 1000, 's');
  if (s < 3600 * 3)
    return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

export function amount(n: number, unit: Unit, sign = false): string {
  const text = unit === 'bytes' ? bytes(Math.abs(n)) : count(Math.abs(n));
  return (n < 0 ? '-' : sign && n > 0 ? '+' : '') + text;
}

export function amountPercent(n: number, whole: number, sign = false): string {
  const text = percent(Math.abs(n), whole);
  return text && (n < 0 ? '-' : sign && n > 0 ? '+' : '') + text;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function date(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16)
    .replace('T', ' ')} UTC`;
}

// `64..127`, `4k..8k-1`: the bucket of a size, in binary units.
export function sizeBucket(bucket: number): string {
  if (bucket < 2)
    return String(bucket);
  const unit = Math.floor((bucket - 1) / 10);
  const from = 2 ** ((bucket - 1) % 10);
  const name = ['', 'k', 'M', 'G', 'T', 'P', 'E'][unit]!;
  return unit === 0 ? `${from}..${2 * from - 1}`
    : `${from}${name}..${2 * from}${name}-1`;
}

export function ageBucket(bucket: number): string {
  const from = bucket ? 2 ** (bucket - 1) : 0;
  if (bucket === 0)
    return 'less than a tick';
  return from < 1000 ? `${from} ms` : ms(from);
}

// Control characters, as libht/err.h escapes them. All others that could
// disturb are escaped in the data.
export function safe(text: string): string {
  return text.replace(/[\0-\x1f\x7f]/g, c =>
    c === '\n' ? '\\n' : c === '\t' ? '\\t'
      : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

// Whether an angle bracket at `i` belongs to operator<, ->, <=> and so on.
function isOperator(s: string, i: number): boolean {
  let from = i;
  while (from > 0 && '<>-='.includes(s[from - 1]!))
    from--;
  return i - from < 2 && s.slice(from - 8, from) === 'operator';
}

// The name without its template arguments, `<>` in their place.
export function dropTemplates(s: string): string {
  let out = '';
  let depth = 0;

  for (let i = 0; i < s.length; i++) {
    const open = s[i] === '<' && (depth > 0 || !isOperator(s, i));
    const shut = s[i] === '>' && depth > 0 && s[i - 1] !== '-';
    if (depth === 0 || (shut && depth === 1))
      out += s[i];
    depth += Number(open) - Number(shut);
  }
  return depth === 0 ? out || s : s;
}

// The parameters, the last `(…)` with what follows it, out of the name.
export function dropParameters(s: string): string {
  let i = s.length;
  let depth = 0;

  while (i > 0) {
    i--;
    if (s[i] === ')')
      depth++;
    else if (s[i] === '(' && --depth === 0)
      break;
  }
  // `(anonymous namespace)::f` and `operator()` have other ones.
  if (i === 0 || s[i] !== '(' || s[i - 1] === ':' ||
      s.slice(i - 8, i) === 'operator')
    return s;
  return s.slice(0, i);
}

// A function's name, in at most `width` characters: one that is too long loses
// its template arguments, its parameters, its middle.
export class Name {
  private readonly forms: string[];

  constructor(readonly whole: string) {
    // Of one that is far too long two parts will do.
    const name = whole.length > 8192
      ? whole.slice(0, 2048) + whole.slice(-2048) : whole;
    const plain = dropTemplates(name);
    this.forms = [whole, plain, dropParameters(plain)];
  }

  fit(width: number): string {
    for (const form of this.forms)
      if (form.length <= width)
        return form;
    const shortest = this.forms[2]!;
    if (width < 10)
      return `${shortest.slice(0, Math.max(0, width - 1))}…`;
    const tail = Math.floor(width * 2 / 3);
    return `${shortest.slice(0, Math.max(0, width - tail - 1))}…${
      tail > 0 ? shortest.slice(-tail) : ''}`;
  }
}

export function fit(name: string, width: number): string {
  return name.length <= width ? name : new Name(name).fit(width);
}
