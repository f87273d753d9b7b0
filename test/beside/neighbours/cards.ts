import type { Neighbour } from '../neighbour.js';

export const CARD_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'two cards, LAN and WAN',
    group: 'Devices',
    lab: () => ({ hasTwoLegs: true }),
    prepare: async (scene) => scene.hasTwoLegs(),
  },
];
