/** People as the search and the inbox show them. */
export interface Hit {
  id: string;
  name: string | null;
  sex: 0 | 1 | 2 | 9;
  age: number | null;
  status: 'registered' | 'floating' | null;
  id_number: string | null;
  phone: string | null;
  address: string | null;
  building_id: number | null;
  grid: { id: string; code: string; name: string | null } | null;
  matched: 'name' | 'pinyin' | 'similar_sound' | 'initials' | 'similar' | 'phone' | 'id_number' | 'number' | 'address';
}
export interface FoundBuilding {
  id: number;
  name: string | null;
  address: string | null;
  lng: number;
  lat: number;
}
export interface FoundPeople {
  kind: string;
  results: Hit[];
  more: boolean;
  buildings: FoundBuilding[];
}
export type Kind = 'moved_in' | 'moved_out' | 'changed' | 'born';
export type DeclaredState = 'new' | 'asked' | 'confirmed' | 'rejected';
export interface Declared {
  id: string;
  kind: Kind;
  at: string;
  state: DeclaredState;
  name: string;
  address: string;
  building_id: number;
  dwelling_id: number | null;
  person_id: string | null;
  answer: string | null;
  grid: Hit['grid'];
}
export interface DeclaredWhole extends Declared {
  fields: Record<string, string | number | string[] | null>;
  candidates: Hit[];
}
export interface Question {
  id: string;
  at: string;
  name: string;
  number: string;
  reason: string;
  answer?: 'lives_here' | 'contact_me' | 'cannot_say' | null;
  note?: string | null;
  asker?: { zh?: string; en?: string } | null;
  person_id?: string;
}

/** Whether a number can be a resident's (GB 11643): 17 digits and the check character that fits them; or, by its form, a passport. */
export function rightId(number: string): boolean {
  const clean = number.replace(/\s/g, '').toUpperCase();
  if (/^[A-Z]{1,3}[A-Z0-9]{5,14}$/.test(clean)) return true;
  if (!/^\d{17}[\dX]$/.test(clean)) return false;
  const sum = [...clean.slice(0, 17)].reduce((total, digit, at) => total + Number(digit) * (2 ** (17 - at) % 11), 0);
  const born = new Date(`${clean.slice(6, 10)}-${clean.slice(10, 12)}-${clean.slice(12, 14)}T00:00:00Z`);
  return '10X98765432'[sum % 11] === clean[17] && !Number.isNaN(born.getTime()) && born.getTime() <= Date.now();
}
export const rightPhone = (phone: string): boolean => /^\+?[\d -]{6,20}$/.test(phone.trim()) && phone.replace(/\D/g, '').length >= 6;

/** Goes to another address of the app without loading it again. */
export function visit(event: MouseEvent, href: string): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  history.pushState(null, '', href);
  dispatchEvent(new PopStateEvent('popstate'));
}
