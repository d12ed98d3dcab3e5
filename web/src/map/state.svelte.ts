/** What the map shows at the moment, for the parts of the page that stand around it. */
import type { Bounds, UnitKind } from '../lib/types';

export interface Hovered {
  kind: UnitKind;
  id: string;
  code: string | null;
  name: string | null;
  name_en: string | null;
  value: number | null;
  withheld: boolean;
  x: number;
  y: number;
}

class MapState {
  bounds = $state.raw<Bounds | null>(null);
  zoom = $state(12);
  hovered = $state.raw<Hovered | null>(null);
  /** The unit that the keyboard is on in the list of what is in view. */
  pointed = $state<string | null>(null);
  /** The stops of the walk, drawn as numbers. */
  stops = $state.raw<{ number: number; title: string; lng: number; lat: number }[]>([]);
  /** Set by the map once it is there. */
  fit: ((bounds: Bounds) => void) | null = null;
  /** Brings a unit into view where it is not; one that can be seen stays where it is. */
  reveal: ((bounds: Bounds) => void) | null = null;
  /** Whether the selection came from a click on the map, which must not move under the hand. */
  clicked = false;
  zoomBy: ((steps: number) => void) | null = null;
  jump: ((lng: number, lat: number, zoom: number) => void) | null = null;
}

export const mapState = new MapState();
