/** Numbers, dates and names as people read them. Pure functions: the language is always an argument. */
import type { Lang, Text } from './types';

export const EMPTY = '–';

export function pick(text: Text | null | undefined, lang: Lang): string {
  if (!text) return '';
  return (lang === 'en' ? text.en || text.zh : text.zh || text.en) ?? '';
}

/** The name of an area, a grid or a cell; its code where it has no name. */
export function nameOf(
  unit: { name?: string | null; name_en?: string | null; code?: string | null; id?: string | number },
  lang: Lang,
): string {
  const own = lang === 'en' ? unit.name_en || unit.name : unit.name || unit.name_en;
  return own || unit.code || (unit.id === undefined ? '' : String(unit.id));
}

const cache = new Map<string, Intl.NumberFormat>();
function formatter(lang: Lang, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = lang + JSON.stringify(options);
  let found = cache.get(key);
  if (!found) cache.set(key, (found = new Intl.NumberFormat(lang, options)));
  return found;
}

/** How many digits after the point a figure of this size and unit deserves. */
function digitsFor(value: number, unit: string): number {
  if (unit === '%') return 1;
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return 0;
  return size >= 10 ? 1 : 2;
}

export function formatNumber(value: number | null | undefined, lang: Lang, unit = ''): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return EMPTY;
  const digits = digitsFor(value, unit);
  const text = formatter(lang, { maximumFractionDigits: digits, minimumFractionDigits: unit === '%' ? digits : 0 });
  return text.format(value);
}

/** "12.3%" close up, "1,234 persons" with a space; Chinese units follow without one. */
export function formatFigure(value: number | null | undefined, unit: string, lang: Lang): string {
  const number = formatNumber(value, lang, unit);
  if (number === EMPTY || !unit) return number;
  if (unit === '%') return `${number}%`;
  return `${number} ${unit}`;
}

/** Change with its sign; a real minus and no sign for zero. */
export function formatChange(value: number | null | undefined, unit: string, lang: Lang): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return EMPTY;
  const number = formatNumber(Math.abs(value), lang, unit);
  if (Number(Math.abs(value).toFixed(digitsFor(value, unit))) === 0) return '±0';
  return (value > 0 ? '+' : '−') + number;
}

/** Short form for axis ticks: 12K in English, 1.2万 in Chinese. */
export function formatCompact(value: number, lang: Lang): string {
  return formatter(lang, { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

export function formatArea(squareMetres: number | null, lang: Lang): string {
  if (squareMetres === null || squareMetres === undefined) return EMPTY;
  if (squareMetres >= 1e6) return `${formatNumber(squareMetres / 1e6, lang)} km²`;
  if (squareMetres >= 1e5) return `${formatNumber(squareMetres / 1e4, lang)} ${lang === 'en' ? 'ha' : '公顷'}`;
  return `${formatNumber(Math.round(squareMetres), lang)} m²`;
}

export function formatBytes(bytes: number | null, lang: Lang): string {
  if (bytes === null || bytes === undefined) return EMPTY;
  const units = ['B', 'KB', 'MB', 'GB'];
  let size = bytes;
  let step = 0;
  while (size >= 1000 && step < units.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${formatNumber(step ? Number(size.toFixed(1)) : size, lang)} ${units[step] ?? ''}`;
}

/** "2026-10" -> "2026年10月" or "Oct 2026"; a whole day stays as it is. */
export function formatMonth(month: string, lang: Lang): string {
  const [year, index, day] = month.split('-').map(Number);
  if (!year || !index || day) return month;
  if (lang === 'zh-CN') return `${year}年${index}月`;
  const date = new Date(Date.UTC(year, index - 1, 1));
  return new Intl.DateTimeFormat('en', { month: 'short', year: 'numeric', timeZone: 'UTC' }).format(date);
}

/** A moment in the city's own zone as 2026-11-22 14:05. */
export function formatMoment(iso: string | null, zone: string): string {
  if (!iso) return EMPTY;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const options: Intl.DateTimeFormatOptions = {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  };
  return new Intl.DateTimeFormat('sv-SE', options).format(date);
}

/** The months from `last` back, newest first, each as YYYY-MM. */
export function monthsBack(last: string, count: number): string[] {
  const [year, month] = last.split('-').map(Number);
  if (!year || !month) return [];
  return Array.from({ length: count }, (_, step) => {
    const index = year * 12 + (month - 1) - step;
    return `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}`;
  });
}

/** The last day of a month, the day that stands for it: 2026-02 -> 2026-02-28. A whole day stands for itself. */
export function monthEnd(month: string): string {
  const [year, index, day] = month.split('-').map(Number);
  if (!year || !index || day) return month;
  return `${month}-${String(new Date(Date.UTC(year, index, 0)).getUTCDate()).padStart(2, '0')}`;
}

/** The limits of the classes as "0 – 12", from the upper limit of each class. */
export function classLabels(min: number | null, breaks: number[], unit: string, lang: Lang): string[] {
  return breaks.map((upper, index) => {
    const lower = index === 0 ? (min ?? 0) : (breaks[index - 1] ?? 0);
    const whole = breaks.every(Number.isInteger) && Number.isInteger(min ?? 0);
    const from = index > 0 && whole ? Math.min(lower + 1, upper) : lower;
    const text = [formatNumber(from, lang, unit), formatNumber(upper, lang, unit)];
    return text[0] === text[1] ? (text[0] ?? '') : `${text[0]} – ${text[1]}`;
  });
}

/** Even, round ticks from 0 to at least `max`; whole numbers only where the figures are counts. */
export function ticks(max: number, target = 4, whole = false): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / target;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough - 1e-12) ?? 10) * power;
  if (whole && !Number.isInteger(step)) step = Math.max(1, Math.ceil(step));
  const count = Math.ceil(max / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const isWide = (text: string, index: number): boolean => text.charCodeAt(index) > 0x2e80;

/** How many narrow letters a text is as wide as; Chinese characters count twice. */
export function widthOf(text: string): number {
  let sum = 0;
  for (let index = 0; index < text.length; index += 1) sum += isWide(text, index) ? 1.95 : 1;
  return sum;
}

/** A label on one line or two of like length, each at most `room` narrow letters wide; the rest becomes an ellipsis. */
export function wrap(text: string, room: number): string[] {
  if (widthOf(text) <= room) return [text];
  const breaks = Array.from(text, (_, index) => index).filter(
    (index) => index > 0 && (text[index] === ' ' || (isWide(text, index) && !'、，。）'.includes(text[index] ?? ''))),
  );
  const fitting = breaks.filter((index) => widthOf(text.slice(0, index)) <= room);
  const uneven = (index: number) => Math.abs(widthOf(text.slice(0, index)) - widthOf(text.slice(index).trim()));
  const whole = fitting.filter((index) => widthOf(text.slice(index).trim()) <= room);
  const [best] = whole.sort((a, b) => uneven(a) - uneven(b));
  const cut = best ?? fitting.at(-1) ?? Math.max(1, Math.floor(room) - 1);
  const rest = text.slice(cut).trim();
  if (widthOf(rest) <= room) return [text.slice(0, cut), rest];
  let end = rest.length;
  while (end > 1 && widthOf(rest.slice(0, end)) + 1 > room) end -= 1;
  return [text.slice(0, cut), `${rest.slice(0, end).trim()}…`];
}
