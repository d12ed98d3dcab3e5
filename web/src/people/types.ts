/** Records of people and homes as the server sends them. */
import type { Text } from '../lib/types';

export interface Confirmed {
  confirmed_on: string | null;
  /** 'officer', or the source that brought it. */
  confirmed_source: string | null;
}
export type Tenure = 'own' | 'rent' | 'dormitory' | 'public' | 'other';
export type Status = 'registered' | 'floating';

/** A person as a line in a list. */
export interface Resident extends Confirmed {
  id: string;
  /** Goes back with an act; null on a page of the past. */
  version: string | null;
  name: string | null;
  sex: number;
  birth_date: string | null;
  status: Status | null;
  permit: string | null;
  permit_until: string | null;
  since: string | null;
  household_id?: string | null;
}
export interface HouseholdPart {
  id: string | null;
  kind: string;
  people: Resident[];
}
export interface Home extends Confirmed {
  id: number;
  building_id: number;
  unit: string | null;
  floor: string | null;
  room: string | null;
  area_m2: number | null;
  rooms: number | null;
  capacity: number | null;
  tenure: Tenure | null;
  use: string | null;
  households: HouseholdPart[];
  people: number;
  crowded: boolean;
}
export interface BuildingRef {
  id: number;
  name: string | null;
  address: string | null;
}
export interface Place {
  community: { id: number; name: string; name_en: string | null } | null;
  grid: { id: number; code: string; name: string | null; name_en: string | null } | null;
  lng: number | null;
  lat: number | null;
}
export interface BuildingPage {
  building: BuildingRef & Place & { use: string; floors: number | null; built_year: number | null; cell: string | null };
  floors: { floor: string | null; dwellings: Home[] }[];
}
export interface DwellingPage {
  dwelling: Home;
  building: BuildingRef & Place;
}
export interface HouseholdPage {
  household: HouseholdPart;
  dwelling: Home | null;
  building: (BuildingRef & Place) | null;
}
export interface PersonPage {
  person: Resident & {
    id_number: string | null;
    phone: string | null;
    origin_code: string | null;
    ended_on: string | null;
    end_reason: string | null;
    merged_into: string | null;
  };
  home: (Home & { building: BuildingRef & Place }) | null;
  household: HouseholdPart | null;
  allowed: { act: boolean; reveal: boolean };
}
export interface Episode {
  kind: string;
  id: string;
  valid_from: string | null;
  valid_to: string | null;
  recorded_at: string | null;
  superseded_at: string | null;
  title?: Text;
  [field: string]: unknown;
}
/** A building to move to, by address alone. */
export interface AddressHit extends BuildingRef {
  community: string | null;
  community_en: string | null;
}
/** The doors of a building, without anybody behind them. */
export interface Doors {
  dwellings: { id: number; unit: string | null; floor: string | null; room: string | null }[];
}
/** Which source gave a value, and when. */
export interface Origin {
  field: string;
  source: string;
  date: string | null;
}
/** A building of the own territory on the map or in a list; nobody is named. */
export interface BuildingHit extends BuildingRef {
  use: string;
  floors: number | null;
  lng: number;
  lat: number;
  grid_id: number | null;
  dwellings: number;
}
