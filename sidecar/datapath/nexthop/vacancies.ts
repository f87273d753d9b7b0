import { VACANCIES_PER_LINK, type Vacancy } from '../../../rules/index.js';

/** Of all ids, so many may be vacant. */
const SHARE = 1 / 8;

/** How many ids may be vacant at most, of so many gateways and vacancies together. */
export function vacantIds(ids: number): number {
  return Math.floor(ids * SHARE);
}

/** The ids that wait for routers, the oldest first: the packet path tries them in this order. */
export class Vacancies {
  readonly #max: number;
  #list: readonly Vacancy[] = [];

  /** @param ids how many there are of gateways and vacancies together */
  constructor(ids: number) {
    this.#max = vacantIds(ids);
  }

  get list(): readonly Vacancy[] {
    return this.#list;
  }

  has(id: number): boolean {
    return this.#list.some((vacancy) => vacancy.id === id);
  }

  /** Whether a device is to get another one. */
  isWanted(device: string): boolean {
    const ofDevice = this.#list.filter((vacancy) => vacancy.device === device);
    return this.#list.length < this.#max && ofDevice.length < VACANCIES_PER_LINK;
  }

  add(vacancy: Vacancy): void {
    this.#list = [...this.#list, vacancy];
  }

  /** Null if it is none. */
  take(id: number): Vacancy | null {
    const found = this.#list.find((vacancy) => vacancy.id === id) ?? null;
    if (found !== null) this.#list = this.#list.filter((vacancy) => vacancy !== found);
    return found;
  }

  /** Takes all on a device away. */
  removeDevice(device: string): readonly Vacancy[] {
    const gone = this.#list.filter((vacancy) => vacancy.device === device);
    this.#list = this.#list.filter((vacancy) => vacancy.device !== device);
    return gone;
  }
}
